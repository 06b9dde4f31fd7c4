import {
  type BlockRanges,
  blockCount,
  emptyRanges,
  rangesOf,
  singleRange,
  subtract,
  union,
} from '../../planning/block-ranges.ts';

/**
 * InnoDB tells how many pages of an index are cached, not which. What is known to be held stands where it
 * is, thinned where fewer are left; the rest stands evenly over the index: counts add up, whatever happens.
 */
export function placePages(count: number, size: number, read: BlockRanges): BlockRanges {
  const held = Math.min(Math.max(0, Math.round(count)), size);
  const known = evenly(read, Math.min(held, blockCount(read)));
  const others = subtract(singleRange(0, size, 1), read);
  return union(known, evenly(others, held - blockCount(known)));
}

/** `count` blocks of these ranges, at equal distances. */
function evenly(ranges: BlockRanges, count: number): BlockRanges {
  const total = blockCount(ranges);
  if (count <= 0 || total === 0) return emptyRanges;
  if (count >= total) return ranges;
  const runs: [number, number, number][] = [];
  let before = 0;
  for (let at = 0; at < ranges.starts.length; at++) {
    const start = ranges.starts[at]!;
    const length = ranges.lengths[at]!;
    // Block i of all is taken where i * count passes a multiple of the total.
    const first = Math.ceil((before * count) / total);
    const end = Math.ceil(((before + length) * count) / total);
    for (let nth = first; nth < end; nth++) {
      const block = start + Math.floor((nth * total) / count) - before;
      const last = runs.at(-1);
      if (last !== undefined && last[0] + last[1] === block) last[1]++;
      else runs.push([block, 1, 1]);
    }
    before += length;
  }
  return rangesOf(runs);
}
