import { interpolate, type KeyValue, type ValueType } from './key-values.ts';

/** Values of an index's first columns; an empty key bounds nothing. */
export type Key = readonly KeyValue[];

/** Where a stretch of an index begins or ends; its begin is the empty key. */
export type Bound = Key | 'end';

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
interface Stretch {
  readonly prefix: Key;
  readonly low: KeyValue;
  /** Undefined: to the end of the prefix. */
  readonly high: KeyValue | undefined;
  /** Its greatest value, for interpolation alone. */
  readonly towards: KeyValue;
  readonly rows: number;
}

/** A stretch in which keys are interpolated, with its places as parts of the whole index. */
export interface KeyNode extends Pick<Stretch, 'prefix' | 'low' | 'towards'> {
  readonly from: number;
  readonly to: number;
}

interface Node extends Stretch, KeyNode {}

const maxDescents = 12;
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

/** A value that may stand in the column after `prefix`. */
export interface Guess {
  readonly prefix: Key;
  readonly value: KeyValue;
}

/** Turns places in an index, 0 to 1 in key order, into keys. */
export interface KeyFinder {
  /** The bound at a place, at most about `tolerance` of the index away; the end where nothing can be divided. */
  boundAt(place: number, tolerance: number): Promise<Bound>;
  /**
   * A key at about this place, interpolated: no question is asked. Undefined where there is none between its
   * neighbours. `clear`: not in this part of the index behind a cut, whose pages were read for the division itself.
   */
  guessAt(place: number, clear?: number): Promise<Guess | undefined>;
  /** The division, in order; once it is known, guesses ask nothing. */
  nodes(): Promise<readonly KeyNode[]>;
}

/**
 * Turns places in an index (0 to 1, in key order) into keys, without reading what lies between. Places are
 * right as far as the server's estimates are; keys never leave out a row: of places in order, the stretches
 * from one's key to the next one's add up to the whole index.
 */
export class KeySpace implements KeyFinder {
  readonly #dives: Dives;
  readonly #types: readonly ValueType[];
  readonly #finest: number;
  readonly #mostCuts: number;
  readonly #bounds = new Map<number, Promise<Bound>>();
  #nodes: Promise<readonly Node[]> | undefined;

  /**
   * `types`: of the index's columns that can bound a range, from the first on. `finest`: part of the index down to
   * which it is divided at first where keys are spread unevenly; `mostCuts`: how often at most. The finer, the more
   * exact are places, and the more pages are read for it.
   */
  constructor(
    dives: Dives,
    types: readonly ValueType[],
    { finest = longest, mostCuts = usualCuts }: { readonly finest?: number; readonly mostCuts?: number } = {},
  ) {
    this.#dives = dives;
    this.#types = types;
    this.#finest = Math.min(longest, finest);
    this.#mostCuts = mostCuts;
  }

  boundAt(place: number, tolerance: number): Promise<Bound> {
    if (place <= 0) return Promise.resolve([]);
    if (place >= 1 || this.#types.length === 0) return Promise.resolve('end');
    const known = this.#bounds.get(place);
    if (known !== undefined) return known;
    const finding = this.#find(place, tolerance);
    this.#bounds.set(place, finding);
    finding.catch(() => this.#bounds.delete(place));
    return finding;
  }

  nodes(): Promise<readonly KeyNode[]> {
    return this.#known();
  }

  async guessAt(place: number, clear = 0): Promise<Guess | undefined> {
    const node = nodeAt(await this.#known(), place);
    return (
      node &&
      guessIn(node, this.#types, Math.max(place, Math.min(node.from + clear, (node.from + node.to) / 2)))
    );
  }

  #known(): Promise<readonly Node[]> {
    if (this.#nodes !== undefined) return this.#nodes;
    const finding = this.#divide();
    this.#nodes = finding;
    finding.catch(() => {
      if (this.#nodes === finding) this.#nodes = undefined;
    });
    return finding;
  }

  async #find(place: number, tolerance: number): Promise<Bound> {
    let node = nodeAt(await this.#known(), place);
    if (node === undefined) return 'end';
    let best = { key: keyOf(node), off: Math.abs(place - node.from) };
    for (let descent = 0; descent < maxDescents && best.off > tolerance; descent++) {
      const width = node.to - node.from;
      const wanted = Math.min(0.98, Math.max(0.02, (place - node.from) / width));
      // Interpolation alone closes in from one side where keys are skewed.
      const parts = await this.#cut(node, descent % 3 === 2 ? 0.5 : wanted);
      if (parts === undefined || width <= 0) break;
      const placed: readonly Node[] = placeAll(parts, node);
      node = placed.find(({ to }) => to >= place) ?? placed.at(-1)!;
      for (const part of placed) {
        const off = Math.abs(part.from - place);
        if (off < best.off) best = { key: keyOf(part), off };
      }
    }
    return best.key;
  }

  /**
   * The whole index in stretches whose estimates can be held against each other. Where halves have as many rows, and
   * theirs again, keys are taken as evenly spread.
   */
  async #divide(): Promise<readonly Node[]> {
    const all = await this.#dives.allRows();
    const whole = await this.#under([], all);
    let pieces: readonly Piece[] = whole === undefined ? [] : [{ stretch: whole, even: false, done: false }];
    for (let cuts = 0; cuts < this.#mostCuts; ) {
      const next = this.#nextToCut(pieces, all);
      if (next === undefined) break;
      const parts = await this.#cut(next.stretch, 0.5);
      if (parts?.length !== 1) cuts++;
      const even = parts !== undefined && isEven(parts);
      const cut = parts?.map((stretch) => ({ stretch, even, done: even && next.even })) ?? [
        { ...next, done: true, whole: true },
      ];
      pieces = pieces.flatMap((one) => (one === next ? cut : [one]));
    }
    const stretches = await Promise.all(pieces.map(({ stretch }) => this.#withinValue(stretch)));
    return placeAll(stretches, { from: 0, to: 1 });
  }

  /** A stretch of one value, by the column that tells its rows apart: two entries are read for it. */
  async #withinValue(stretch: Stretch): Promise<Stretch> {
    const { prefix, low, towards, rows } = stretch;
    if (!same(low, towards)) return stretch;
    const under = await this.#under([...prefix, low], rows);
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

  async #under(prefix: Key, rows: number): Promise<Stretch | undefined> {
    if (prefix.length >= this.#types.length) return undefined;
    const low = await this.#dives.least(prefix);
    const towards = await this.#dives.greatest(prefix);
    if (low === undefined || towards === undefined) return undefined;
    return { prefix, low, high: undefined, towards, rows };
  }

  /** The stretch cut at `at` of its keys, or seen by its next column; undefined where it cannot be divided further. */
  async #cut(stretch: Stretch, at: number): Promise<readonly Stretch[] | undefined> {
    const { prefix, low, high, towards } = stretch;
    const guess = interpolate(this.#types[prefix.length]!, low, towards, at);
    let cut =
      guess === undefined ? undefined : await this.#dives.least(prefix, { value: guess, exclusive: false });
    if (cut === undefined || same(cut, low) || isEnd(cut, high)) {
      cut = await this.#dives.least(prefix, { value: low, exclusive: true });
      // One value alone: the next column tells its rows apart.
      if (cut === undefined || isEnd(cut, high)) {
        const under = await this.#under([...prefix, low], stretch.rows);
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
      { ...stretch, high: cut, towards: last ?? low, rows: before },
      { ...stretch, low: cut, rows: after },
    ];
  }
}

/** The key at this place of a stretch. */
export function guessIn(node: KeyNode, types: readonly ValueType[], place: number): Guess | undefined {
  const { prefix, low, towards, from, to } = node;
  const at = to > from ? Math.min(1, Math.max(0, (place - from) / (to - from))) : 0;
  const value = interpolate(types[prefix.length]!, low, towards, at);
  return value === undefined ? undefined : { prefix, value };
}

export const nodeAt = <T extends KeyNode>(nodes: readonly T[], place: number): T | undefined =>
  nodes.find(({ to }) => to >= place) ?? nodes.at(-1);

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
function placeAll(
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
