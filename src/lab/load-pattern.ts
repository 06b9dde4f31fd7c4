import { rowsPerBlock } from './app-data.ts';

/** The shape of a load. On the bench table the defaults make a work set of 345 MB in some 2,900 ranges. */
export interface LoadShape {
  /** Rows of the table, ids 1 to this. */
  readonly rowCount: number;
  /** Same seed, same sequence of reads. */
  readonly seed: number;
  /** Share of the table that is ever read. Default 1/3. */
  readonly hotShare?: number;
  /**
   * Where that share lies: `scattered` over the table, the `newest` of its rows, or in the `middle`, from two fifths
   * of what is before and behind it on. Default `scattered`.
   */
  readonly hotPlace?: 'scattered' | 'newest' | 'middle';
  /** Length of one hot range in blocks; neighbours may merge. Default 18. */
  readonly rangeBlockCount?: number;
  /** Exponent of the Zipf distribution of reads over the hot ranges; 0 is even. Default 0.7. */
  readonly skew?: number;
  /** Rows a read asks for. Default 20. */
  readonly readRowCount?: number;
  /** Read from the first row to the last and over again, whatever is said above of places and skew. */
  readonly sequential?: boolean;
}

/** Ids from and to, both included. */
export type IdRange = readonly [from: number, to: number];

/**
 * An endless, repeatable sequence of range reads: some of the hot ranges are read much more often than others,
 * wherever they lie, and within one every row is as likely.
 */
export class LoadPattern {
  readonly #random: () => number;
  readonly #rangeRowCount: number;
  readonly #readRowCount: number;
  readonly #rowCount: number;
  /** All ranges of the table in random order; the first `hotCount` are hot, the first of all the hottest. */
  readonly #order: Uint32Array;
  readonly #hotCount: number;
  /** Sums of the weights up to each rank. */
  readonly #cumulative: Float64Array;
  /** The id to go on with, where the table is read in sequence. */
  #nextId: number | undefined;

  constructor(shape: LoadShape) {
    this.#random = seededRandom(shape.seed);
    this.#rowCount = shape.rowCount;
    if (shape.sequential === true) this.#nextId = 1;
    this.#rangeRowCount = Math.min(shape.rowCount, (shape.rangeBlockCount ?? 18) * rowsPerBlock);
    this.#readRowCount = Math.min(shape.readRowCount ?? 20, this.#rangeRowCount);
    const rangeCount = Math.max(1, Math.floor(shape.rowCount / this.#rangeRowCount));
    this.#hotCount = Math.max(1, Math.round(rangeCount * (shape.hotShare ?? 1 / 3)));
    this.#order = Uint32Array.from({ length: rangeCount }, (_, index) => index);
    for (let index = rangeCount - 1; index > 0; index--) this.#swap(index, this.#below(index + 1));
    const place = placeOf[shape.hotPlace ?? 'scattered'];
    if (place !== undefined) this.#order = hotFirst(this.#order, this.#hotCount, place);
    this.#cumulative = new Float64Array(this.#hotCount);
    let sum = 0;
    for (let rank = 0; rank < this.#hotCount; rank++) {
      sum += (rank + 1) ** -(shape.skew ?? 0.7);
      this.#cumulative[rank] = sum;
    }
  }

  get hotRangeCount(): number {
    return this.#hotCount;
  }

  /** The next read. */
  next(): IdRange {
    if (this.#nextId !== undefined) {
      const from = this.#nextId;
      const to = Math.min(this.#rowCount, from + this.#readRowCount - 1);
      this.#nextId = to === this.#rowCount ? 1 : to + 1;
      return [from, to];
    }
    const wanted = this.#random() * (this.#cumulative[this.#hotCount - 1] ?? 0);
    const first = (this.#order[this.#rankOf(wanted)] ?? 0) * this.#rangeRowCount + 1;
    const from = first + this.#below(this.#rangeRowCount - this.#readRowCount + 1);
    return [from, Math.min(this.#rowCount, from + this.#readRowCount - 1)];
  }

  /** Makes a share of the hot ranges cold and as many cold ones hot, as far as there are any. */
  shift(share: number): void {
    const coldCount = this.#order.length - this.#hotCount;
    const count = Math.min(Math.round(share * this.#hotCount), coldCount);
    for (let done = 0; done < count; done++) {
      this.#swap(this.#below(this.#hotCount), this.#hotCount + this.#below(coldCount));
    }
  }

  /** The first rank whose cumulative weight is above `wanted`. */
  #rankOf(wanted: number): number {
    let [low, high] = [0, this.#hotCount - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#cumulative[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #swap(left: number, right: number): void {
    const kept = this.#order[left] ?? 0;
    this.#order[left] = this.#order[right] ?? 0;
    this.#order[right] = kept;
  }
}

/** Of the ranges that are not hot, the part that lies before those that are; undefined where they lie anywhere. */
const placeOf = { scattered: undefined, newest: 1, middle: 0.4 } as const;

/** `count` neighbouring ranges before all others; among themselves in the order that they had. */
function hotFirst(order: Uint32Array, count: number, place: number): Uint32Array {
  const first = Math.round((order.length - count) * place);
  const isHot = (range: number) => range >= first && range < first + count;
  return Uint32Array.from([...order.filter(isHot), ...order.filter((range) => !isHot(range))]);
}

/** Mulberry32: evenly spread numbers from 0 to 1, the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
