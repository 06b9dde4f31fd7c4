import { interpolate, type KeyValue, type ValueType } from './key-values.ts';

/** Values of an index's first columns; an empty key bounds nothing. */
export type Key = readonly KeyValue[];

/** Questions that an index answers by walking down its tree: a few pages each, whatever its size. */
export interface Dives {
  /** The least value of the column after `prefix`, at or after `from` (`exclusive`: after it) where given. NULLs do not count. */
  least(
    prefix: Key,
    from?: { readonly value: KeyValue; readonly exclusive: boolean },
  ): Promise<KeyValue | undefined>;
  /** The greatest one, of those less than `below` where given. */
  greatest(prefix: Key, below?: KeyValue): Promise<KeyValue | undefined>;
  /** Estimated rows under a prefix whose next column is `low` or more, and less than `high` where given. */
  rows(prefix: Key, low: KeyValue, high: KeyValue | undefined): Promise<number>;
  /** Estimated rows of the whole index. */
  allRows(): Promise<number>;
}

/** A stretch of the index: the rows under a prefix whose next column is `low` or more. */
export interface Stretch {
  readonly prefix: Key;
  readonly low: KeyValue;
  /** Undefined: to the end of the prefix. */
  readonly high: KeyValue | undefined;
  /** Its greatest value, for interpolation alone. */
  readonly towards: KeyValue;
  readonly rows: number;
  /** For `rows` the server has looked at what lies behind `low`. */
  readonly counted: boolean;
}

/** A stretch in which keys are interpolated, with its places as parts of the whole index. */
export interface KeyNode extends Pick<Stretch, 'prefix' | 'low' | 'towards'> {
  readonly from: number;
  readonly to: number;
}

export interface Node extends Stretch, KeyNode {}

/**
 * Of long stretches InnoDB estimates twice the rows, and at most half of the table. Stretches that are short
 * enough are all estimated alike: of the division none is longer than this part of the table.
 */
const longest = 0.26;
/** Rows of either half at least, as a part of both, where keys count as evenly spread. */
const evenHalf = 0.4;
const usualCuts = 64;

/** A stretch of a division that is under way. */
interface Piece {
  readonly stretch: Stretch;
  /** The cut that made it gave halves of as many rows. */
  readonly even: boolean;
  /** So did the one before: it is cut only where it is too long. */
  readonly done: boolean;
  /** It cannot be cut. */
  readonly whole?: boolean;
}

/** Least `ownStretch`. */
const usualOwnStretch = 1 / 200;
/** Values that are looked through for that in one stretch, and stretches in all. */
const mostValues = 64;
const mostNodes = 120;

export interface DivisionLimits {
  /** Part of the index down to which it is divided at first where keys are spread unevenly. */
  readonly finest: number;
  readonly mostCuts: number;
  /** Part of the index from which on the rows of one value are a stretch of their own, where another column tells them apart. */
  readonly ownStretch: number;
}

/** Divides an index into stretches in which keys are interpolated, by asking for single keys and for estimates. */
export class Division {
  readonly #dives: Dives;
  readonly #types: readonly ValueType[];
  readonly #finest: number;
  readonly #mostCuts: number;
  readonly #ownStretch: number;

  /** `types`: of the index's columns that can bound a range, from the first on. */
  constructor(dives: Dives, types: readonly ValueType[], limits: Partial<DivisionLimits> = {}) {
    this.#dives = dives;
    this.#types = types;
    this.#finest = Math.min(longest, limits.finest ?? longest);
    this.#mostCuts = limits.mostCuts ?? usualCuts;
    this.#ownStretch = Math.max(usualOwnStretch, limits.ownStretch ?? 0);
  }

  /**
   * The whole index in stretches whose estimates can be held against each other. Where halves have as many rows, and
   * theirs again, keys are taken as evenly spread.
   */
  async nodes(): Promise<readonly Node[]> {
    const all = await this.#dives.allRows();
    const whole = await this.#under([], { rows: all, counted: false });
    let pieces: readonly Piece[] = whole === undefined ? [] : [{ stretch: whole, even: false, done: false }];
    for (let cuts = 0; cuts < this.#mostCuts; ) {
      const next = this.#nextToCut(pieces, all);
      if (next === undefined) break;
      const parts = await this.cut(next.stretch, 0.5);
      if (parts?.length !== 1) cuts++;
      const even = parts !== undefined && isEven(parts);
      const cut = parts?.map((stretch) => ({ stretch, even, done: even && next.even })) ?? [
        { ...next, done: true, whole: true },
      ];
      pieces = pieces.flatMap((one) => (one === next ? cut : [one]));
    }
    const stretches: Stretch[] = [];
    for (const [at, piece] of pieces.entries()) {
      const room = mostNodes - stretches.length - (pieces.length - at - 1);
      for (const stretch of await this.#apart(piece, all, room))
        stretches.push(await this.#withinValue(stretch));
    }
    return placeAll(stretches, { from: 0, to: 1 });
  }

  /**
   * A stretch of few values with many rows each, value by value: between values keys cannot be interpolated, and all
   * that is asked for there would be the first row of one.
   */
  async #apart({ stretch, done }: Piece, all: number, room: number): Promise<readonly Stretch[]> {
    const { prefix, low, high, towards, rows } = stretch;
    if (prefix.length + 1 >= this.#types.length || same(low, towards)) return [stretch];
    const next = (value: KeyValue) => this.#dives.least(prefix, { value, exclusive: true });
    const second = await next(low);
    if (second === undefined || isEnd(second, high)) return [stretch];
    const isWide = async (from: KeyValue, to: KeyValue | undefined) =>
      (await this.#dives.rows(prefix, from, to)) >= all * this.#ownStretch;
    // Where values have unlike numbers of rows, the first one does not tell of the others.
    if (!((await isWide(low, second)) || (!done && (await isWide(towards, high))))) return [stretch];
    const values = [low];
    for (let value: KeyValue | undefined = second; value !== undefined && !isEnd(value, high); ) {
      values.push(value);
      if (values.length > Math.min(room, mostValues)) return [stretch];
      value = await next(value);
    }
    const counted: Stretch[] = [];
    for (const [at, value] of values.entries()) {
      const end = values[at + 1] ?? high;
      // Of a stretch whose keys are evenly spread, values have as many rows each.
      const ofValue = done ? rows / values.length : await this.#dives.rows(prefix, value, end);
      const looked = !done || at === 0 || end === high;
      counted.push({ prefix, low: value, high: end, towards: value, rows: ofValue, counted: looked });
    }
    const sum = counted.reduce((total, one) => total + one.rows, 0);
    return counted.map((one) => ({
      ...one,
      rows: sum > 0 ? (rows * one.rows) / sum : rows / counted.length,
    }));
  }

  /** A stretch of one value, by the column that tells its rows apart: two entries are read for it. */
  async #withinValue(stretch: Stretch): Promise<Stretch> {
    const { prefix, low, towards } = stretch;
    if (!same(low, towards)) return stretch;
    const under = await this.#under([...prefix, low], stretch);
    return under === undefined ? stretch : this.#withinValue(under);
  }

  /** The one with most rows of those that are too long, or uneven. */
  #nextToCut(pieces: readonly Piece[], all: number): Piece | undefined {
    let most: Piece | undefined;
    for (const piece of pieces) {
      if (piece.whole || piece.stretch.rows <= all * (piece.done ? longest : this.#finest)) continue;
      if (most === undefined || piece.stretch.rows > most.stretch.rows) most = piece;
    }
    return most;
  }

  async #under(
    prefix: Key,
    { rows, counted }: Pick<Stretch, 'rows' | 'counted'>,
  ): Promise<Stretch | undefined> {
    if (prefix.length >= this.#types.length) return undefined;
    const low = await this.#dives.least(prefix);
    const towards = await this.#dives.greatest(prefix);
    if (low === undefined || towards === undefined) return undefined;
    return { prefix, low, high: undefined, towards, rows, counted };
  }

  /** The stretch cut at `at` of its keys, or seen by its next column; undefined where it cannot be divided further. */
  async cut(stretch: Stretch, at: number): Promise<readonly Stretch[] | undefined> {
    const { prefix, low, high, towards } = stretch;
    const guess = interpolate(this.#types[prefix.length]!, low, towards, at);
    let cut =
      guess === undefined ? undefined : await this.#dives.least(prefix, { value: guess, exclusive: false });
    if (cut === undefined || same(cut, low) || isEnd(cut, high)) {
      cut = await this.#dives.least(prefix, { value: low, exclusive: true });
      // One value alone: the next column tells its rows apart.
      if (cut === undefined || isEnd(cut, high)) {
        const under = await this.#under([...prefix, low], stretch);
        return under && [under];
      }
    }
    // The last entry before the cut may lie far from it: guesses between the two would all find the cut.
    const [last, before, after] = await Promise.all([
      this.#dives.greatest(prefix, cut),
      this.#dives.rows(prefix, low, cut),
      this.#dives.rows(prefix, cut, high),
    ]);
    return [
      { ...stretch, high: cut, towards: last ?? low, rows: before, counted: true },
      { ...stretch, low: cut, rows: after, counted: true },
    ];
  }
}

function isEven(parts: readonly Stretch[]): boolean {
  const rows = parts.map((part) => part.rows);
  const all = rows.reduce((sum, one) => sum + one, 0);
  return parts.length > 1 && Math.min(...rows) >= all * evenHalf;
}

/** True where a stretch has no entry any more. */
const isEnd = (entry: KeyValue | undefined, high: KeyValue | undefined): boolean =>
  entry === undefined || (high !== undefined && same(entry, high));

export const keyOf = ({ prefix, low }: KeyNode | Stretch): Key => [...prefix, low];

/** Side by side in these bounds, each as wide as its rows are of all. */
export function placeAll(
  stretches: readonly Stretch[],
  bounds: { readonly from: number; readonly to: number },
): Node[] {
  const total = stretches.reduce((sum, { rows }) => sum + rows, 0);
  const width = bounds.to - bounds.from;
  const placeOf = (index: number, rows: number) =>
    bounds.from + width * (total > 0 ? rows / total : index / stretches.length);
  let before = 0;
  return stretches.map((stretch, index) => {
    const from = placeOf(index, before);
    before += stretch.rows;
    return { ...stretch, from, to: placeOf(index + 1, before) };
  });
}

function same(a: KeyValue, b: KeyValue): boolean {
  return Buffer.isBuffer(a) && Buffer.isBuffer(b) ? a.equals(b) : String(a) === String(b);
}
