import { type BlockRanges, blockLimit } from './block-ranges.ts';

/**
 * A relation's ranges as bytes: a column of gaps to the end of the range before (varints), one of
 * lengths less one (varints), one of heats (two in a byte, low half first). Gaps and lengths repeat
 * and compress far better side by side with their like.
 */
export const leastBytesPerRange = 2.5;

export function encodeColumns(ranges: BlockRanges): Uint8Array {
  const { starts, lengths, heats } = ranges;
  const n = starts.length;
  let size = (n + 1) >> 1;
  let end = 0;
  for (let i = 0; i < n; i++) {
    size += varintBytes(starts[i]! - end) + varintBytes(lengths[i]! - 1);
    end = starts[i]! + lengths[i]!;
  }
  const out = new Uint8Array(size);
  let at = 0;
  const put = (value: number): void => {
    let v = value >>> 0;
    while (v > 0x7f) {
      out[at++] = (v & 0x7f) | 0x80;
      v >>>= 7;
    }
    out[at++] = v;
  };
  end = 0;
  for (let i = 0; i < n; i++) {
    put(starts[i]! - end);
    end = starts[i]! + lengths[i]!;
  }
  for (let i = 0; i < n; i++) put(lengths[i]! - 1);
  for (let i = 0; i < n; i += 2) out[at++] = heats[i]! | ((i + 1 < n ? heats[i + 1]! : 0) << 4);
  return out;
}

/**
 * Reads `count` ranges; `bytes` must hold exactly those. Returns what is wrong where the bytes are not
 * ours: a number that runs on or out, a block beyond `blockLimit`, a heat over 5, bytes left over.
 * Memory is 9 bytes a range; the caller has checked `count` against the bytes.
 */
export function decodeColumns(bytes: Uint8Array, count: number): BlockRanges | string {
  const starts = new Uint32Array(count);
  const lengths = new Uint32Array(count);
  const heats = new Uint8Array(count);
  let at = 0;
  for (const column of [starts, lengths]) {
    for (let i = 0; i < count; i++) {
      let byte = at < bytes.length ? bytes[at++]! : 0x80;
      let value = byte & 0x7f;
      for (let factor = 0x80; byte > 0x7f; factor *= 0x80) {
        if (at >= bytes.length || factor > 0x10000000) return 'a number is cut off or too long';
        byte = bytes[at++]!;
        value += (byte & 0x7f) * factor;
      }
      if (value > 0xffffffff) return `${value} is no block number`;
      column[i] = value;
    }
  }
  if (bytes.length - at !== (count + 1) >> 1) return `${bytes.length - at} bytes of heat for ${count} ranges`;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const start = end + starts[i]!;
    end = start + lengths[i]! + 1;
    if (end > blockLimit) return `block ${end - 1} is beyond any relation`;
    starts[i] = start;
    lengths[i] = lengths[i]! + 1;
    const heat = (bytes[at + (i >> 1)]! >> ((i & 1) * 4)) & 0xf;
    if (heat > 5) return `heat ${heat} is not 0 to 5`;
    heats[i] = heat;
  }
  return { starts, lengths, heats };
}

function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}
