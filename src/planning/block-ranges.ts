/**
 * Runs of blocks of one relation's fork with their heat, as columns, since a work set may have
 * millions of them. Sorted by start, disjoint, none empty; neighbours that touch differ in heat.
 * `heats`: 1..5 is a buffer's usage count (0 counts as 1), 0 is a block that only the OS page cache holds.
 */
export interface BlockRanges {
  readonly starts: Uint32Array;
  readonly lengths: Uint32Array;
  readonly heats: Uint8Array;
}

export const maxHeat = 5;
/** One past the highest block number that a range may reach. */
export const blockLimit = 2 ** 32 - 1;

export const emptyRanges: BlockRanges = {
  starts: new Uint32Array(0),
  lengths: new Uint32Array(0),
  heats: new Uint8Array(0),
};

/** Collects runs into `BlockRanges`; equal heat that touches becomes one run. Made for ascending input. */
export class BlockRangesBuilder {
  #starts: Uint32Array;
  #lengths: Uint32Array;
  #heats: Uint8Array;
  #count = 0;
  #lastEnd = 0;
  #lastHeat = -1;
  /** Ascending pieces already closed, because a run came that did not ascend. */
  #pieces: BlockRanges[] = [];

  constructor(capacity = 64) {
    this.#starts = new Uint32Array(capacity);
    this.#lengths = new Uint32Array(capacity);
    this.#heats = new Uint8Array(capacity);
  }

  /**
   * Adds `length` blocks from `start`. Ascending input costs nothing; out of order or overlapping
   * input is put right at `build`, where a block that came twice keeps its greater heat.
   * Throws RangeError for a heat outside 0..5 or a block beyond `blockLimit`.
   */
  add(start: number, length: number, heat: number): void {
    if (length <= 0) return;
    const end = start + length;
    if (!(start >= 0 && end <= blockLimit) || !Number.isInteger(end) || !Number.isInteger(start)) {
      throw new RangeError(`blocks ${start} to ${end} are outside 0 to ${blockLimit}`);
    }
    if (!(heat >= 0 && heat <= maxHeat) || !Number.isInteger(heat)) {
      throw new RangeError(`heat ${heat} of block ${start} is not 0 to ${maxHeat}`);
    }
    if (this.#count > 0) {
      if (start < this.#lastEnd) this.#closePiece();
      else if (start === this.#lastEnd && heat === this.#lastHeat) {
        this.#lengths[this.#count - 1]! += length;
        this.#lastEnd = end;
        return;
      }
    }
    if (this.#count === this.#starts.length) this.#grow();
    this.#starts[this.#count] = start;
    this.#lengths[this.#count] = length;
    this.#heats[this.#count] = heat;
    this.#count += 1;
    this.#lastEnd = end;
    this.#lastHeat = heat;
  }

  /**
   * Adds one row of residency: adjacent blocks from `start`, one digit of heat each ('0' to '5');
   * '-' is a block that is not there. Throws RangeError for any other character.
   */
  addHeats(start: number, heats: string): void {
    const n = heats.length;
    let from = 0;
    while (from < n) {
      const code = heats.charCodeAt(from);
      let to = from + 1;
      while (to < n && heats.charCodeAt(to) === code) to += 1;
      if (code !== 45) this.add(start + from, to - from, code - 48);
      from = to;
    }
  }

  /** The ranges so far; the builder is empty afterwards. */
  build(): BlockRanges {
    if (this.#pieces.length === 0) return this.#take();
    this.#closePiece();
    let pieces = this.#pieces;
    this.#pieces = [];
    while (pieces.length > 1) {
      const next: BlockRanges[] = [];
      for (let i = 0; i < pieces.length; i += 2) {
        const right = pieces[i + 1];
        next.push(right === undefined ? pieces[i]! : union(pieces[i]!, right));
      }
      pieces = next;
    }
    return pieces[0]!;
  }

  #closePiece(): void {
    if (this.#count > 0) this.#pieces.push(this.#take());
  }

  #take(): BlockRanges {
    const n = this.#count;
    const slack = this.#starts.length - n;
    const cut = <T extends Uint32Array | Uint8Array>(column: T): T =>
      (slack > n / 4 ? column.slice(0, n) : column.subarray(0, n)) as T;
    const ranges = { starts: cut(this.#starts), lengths: cut(this.#lengths), heats: cut(this.#heats) };
    this.#starts = new Uint32Array(16);
    this.#lengths = new Uint32Array(16);
    this.#heats = new Uint8Array(16);
    this.#count = 0;
    this.#lastEnd = 0;
    this.#lastHeat = -1;
    return ranges;
  }

  #grow(): void {
    const capacity = Math.max(16, Math.ceil(this.#starts.length * 1.5));
    const grown = <T extends Uint32Array | Uint8Array>(column: T, wider: T): T => {
      wider.set(column);
      return wider;
    };
    this.#starts = grown(this.#starts, new Uint32Array(capacity));
    this.#lengths = grown(this.#lengths, new Uint32Array(capacity));
    this.#heats = grown(this.#heats, new Uint8Array(capacity));
  }
}

/** Ranges from [start, length, heat] triples. */
export function rangesOf(
  runs: Iterable<readonly [start: number, length: number, heat: number]>,
): BlockRanges {
  const builder = new BlockRangesBuilder();
  for (const [start, length, heat] of runs) builder.add(start, length, heat);
  return builder.build();
}

/** One run, or none where `length` is 0. */
export function singleRange(start: number, length: number, heat: number): BlockRanges {
  return length <= 0 ? emptyRanges : rangesOf([[start, length, heat]]);
}

export function blockCount(ranges: BlockRanges): number {
  const { lengths } = ranges;
  let sum = 0;
  for (let i = 0; i < lengths.length; i++) sum += lengths[i]!;
  return sum;
}

/** Blocks by heat, index 0 to 5. */
export function blocksByHeat(ranges: BlockRanges): number[] {
  const counts = new Array<number>(maxHeat + 1).fill(0);
  const { lengths, heats } = ranges;
  for (let i = 0; i < lengths.length; i++) counts[heats[i]!]! += lengths[i]!;
  return counts;
}

const nowhere = 2 ** 33;

/**
 * Walks both in block order; `pick` gets each side's heat (-1 where it has no block) and gives the
 * result's heat, or -1 to leave the blocks out. Linear.
 */
export function combine(
  a: BlockRanges,
  b: BlockRanges,
  pick: (heatA: number, heatB: number) => number,
): BlockRanges {
  const aCount = a.starts.length;
  const bCount = b.starts.length;
  const out = new BlockRangesBuilder(Math.max(16, Math.min(aCount + bCount, aCount + 1024)));
  let i = 0;
  let j = 0;
  let aStart = aCount > 0 ? a.starts[0]! : nowhere;
  let aEnd = aCount > 0 ? aStart + a.lengths[0]! : nowhere;
  let bStart = bCount > 0 ? b.starts[0]! : nowhere;
  let bEnd = bCount > 0 ? bStart + b.lengths[0]! : nowhere;
  let at = Math.min(aStart, bStart);
  while (at < nowhere) {
    const inA = at >= aStart;
    const inB = at >= bStart;
    const end = Math.min(inA ? aEnd : aStart, inB ? bEnd : bStart);
    if (inA || inB) {
      const heat = pick(inA ? a.heats[i]! : -1, inB ? b.heats[j]! : -1);
      if (heat >= 0) out.add(at, end - at, heat);
    }
    at = end;
    if (at >= aEnd) {
      i += 1;
      aStart = i < aCount ? a.starts[i]! : nowhere;
      aEnd = i < aCount ? aStart + a.lengths[i]! : nowhere;
    }
    if (at >= bEnd) {
      j += 1;
      bStart = j < bCount ? b.starts[j]! : nowhere;
      bEnd = j < bCount ? bStart + b.lengths[j]! : nowhere;
    }
  }
  return out.build();
}

/** Blocks of `a` that `b` has not, with `a`'s heat. */
export function subtract(a: BlockRanges, b: BlockRanges): BlockRanges {
  if (a.starts.length === 0 || b.starts.length === 0) return a;
  return combine(a, b, (heatA, heatB) => (heatB < 0 ? heatA : -1));
}

/** Blocks of `a` that `b` has too, with `a`'s heat. */
export function intersect(a: BlockRanges, b: BlockRanges): BlockRanges {
  if (a.starts.length === 0 || b.starts.length === 0) return emptyRanges;
  return combine(a, b, (heatA, heatB) => (heatB < 0 ? -1 : heatA));
}

/** Blocks of either, with the greater heat. */
export function union(a: BlockRanges, b: BlockRanges): BlockRanges {
  if (a.starts.length === 0) return b;
  if (b.starts.length === 0) return a;
  return combine(a, b, Math.max);
}
