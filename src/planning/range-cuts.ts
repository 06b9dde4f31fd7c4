import { type BlockRanges, BlockRangesBuilder, blockCount, emptyRanges, maxHeat } from './block-ranges.ts';

/** A run of blocks, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The runs whose heat lies in `low`..`high`; the same object where that is all of them. */
export function heatBand(ranges: BlockRanges, low: number, high: number): BlockRanges {
  const { starts, lengths, heats } = ranges;
  let kept = 0;
  for (let i = 0; i < heats.length; i++) if (heats[i]! >= low && heats[i]! <= high) kept += 1;
  if (kept === heats.length) return ranges;
  if (kept === 0) return emptyRanges;
  const out = { starts: new Uint32Array(kept), lengths: new Uint32Array(kept), heats: new Uint8Array(kept) };
  let to = 0;
  for (let i = 0; i < heats.length; i++) {
    if (heats[i]! < low || heats[i]! > high) continue;
    out.starts[to] = starts[i]!;
    out.lengths[to] = lengths[i]!;
    out.heats[to] = heats[i]!;
    to += 1;
  }
  return out;
}

/** Blocks at least that hot. */
export function atLeast(ranges: BlockRanges, heat: number): BlockRanges {
  return heatBand(ranges, heat, maxHeat);
}

/** The same blocks, all of one heat. */
export function withHeat(ranges: BlockRanges, heat: number): BlockRanges {
  const builder = new BlockRangesBuilder(ranges.starts.length);
  for (let i = 0; i < ranges.starts.length; i++) builder.add(ranges.starts[i]!, ranges.lengths[i]!, heat);
  return builder.build();
}

/** The first `count` blocks in block order, and the rest. */
export function splitAt(ranges: BlockRanges, count: number): [head: BlockRanges, tail: BlockRanges] {
  const { starts, lengths, heats } = ranges;
  let left = count;
  let i = 0;
  while (i < lengths.length && lengths[i]! <= left) {
    left -= lengths[i]!;
    i += 1;
  }
  if (i === lengths.length) return [ranges, emptyRanges];
  if (i === 0 && left <= 0) return [emptyRanges, ranges];
  const cut = left > 0 ? 1 : 0;
  const head = {
    starts: starts.slice(0, i + cut),
    lengths: lengths.slice(0, i + cut),
    heats: heats.slice(0, i + cut),
  };
  const tail = { starts: starts.slice(i), lengths: lengths.slice(i), heats: heats.slice(i) };
  if (cut === 1) {
    head.lengths[i] = left;
    tail.starts[0]! += left;
    tail.lengths[0]! -= left;
  }
  return [head, tail];
}

/** The last `count` blocks in block order, and those before them. */
export function splitFromEnd(ranges: BlockRanges, count: number): [last: BlockRanges, before: BlockRanges] {
  const [before, last] = splitAt(ranges, Math.max(0, blockCount(ranges) - count));
  return [last, before];
}

/** Only blocks below `sizeBlocks`: what lies beyond is not on this server's disk. */
export function clip(ranges: BlockRanges, sizeBlocks: number): BlockRanges {
  const { starts, lengths, heats } = ranges;
  let n = starts.length;
  while (n > 0 && starts[n - 1]! >= sizeBlocks) n -= 1;
  if (n === 0) return emptyRanges;
  const over = starts[n - 1]! + lengths[n - 1]! - sizeBlocks;
  if (n === starts.length && over <= 0) return ranges;
  const cut = { starts: starts.slice(0, n), lengths: lengths.slice(0, n), heats: heats.slice(0, n) };
  if (over > 0) cut.lengths[n - 1]! -= over;
  return cut;
}

/** Runs of adjacent blocks whatever their heat. */
export function* spansOf(ranges: BlockRanges): Generator<Span> {
  const { starts, lengths } = ranges;
  let i = 0;
  while (i < starts.length) {
    const start = starts[i]!;
    let end = start + lengths[i]!;
    i += 1;
    while (i < starts.length && starts[i]! === end) {
      end += lengths[i]!;
      i += 1;
    }
    yield { start, end };
  }
}
