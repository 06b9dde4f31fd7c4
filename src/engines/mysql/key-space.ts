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
  greatest(prefix: Key): Promise<KeyValue | undefined>;
  /** Estimated rows with lower <= key < upper; an empty key is no bound. */
  rows(lower: Key, upper: Key): Promise<number>;
}

/** A stretch of the index between two keys that differ in their last column. */
interface Node {
  readonly prefix: Key;
  readonly low: KeyValue;
  /** Undefined: to the end of the prefix. */
  readonly high: KeyValue | undefined;
  /** For interpolation alone. */
  readonly towards: KeyValue;
  /** Where it begins and ends, as parts of the whole index. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

interface Narrowed {
  /** The part that holds the place; undefined where nothing is left of it. */
  readonly node: Node | undefined;
  readonly cut: { readonly key: Key; readonly place: number };
}

const maxDescents = 12;

/**
 * Turns places in an index (0 to 1, in key order) into keys, without reading what lies between. Places are
 * right as far as the server's estimates are; keys never leave out a row: of places in order, the stretches
 * from one's key to the next one's add up to the whole index.
 */
export class KeySpace {
  readonly #dives: Dives;
  readonly #types: readonly ValueType[];
  readonly #bounds = new Map<number, Promise<Bound>>();
  #root: Promise<Node | undefined> | undefined;

  /** `types`: of the index's columns that can bound a range, from the first on. */
  constructor(dives: Dives, types: readonly ValueType[]) {
    this.#dives = dives;
    this.#types = types;
  }

  /** The bound at a place, at most about `tolerance` of the index away; the end where nothing can be divided. */
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

  async #find(place: number, tolerance: number): Promise<Bound> {
    this.#root ??= this.#rootNode();
    this.#root.catch(() => {
      this.#root = undefined;
    });
    let node = await this.#root;
    if (node === undefined) return 'end';
    let best = { key: [...node.prefix, node.low] as Key, off: place };
    for (let descent = 0; descent < maxDescents && best.off > tolerance; descent++) {
      // Interpolation alone closes in from one side where keys are skewed.
      const next: Narrowed | undefined = await this.#narrow(node, place, descent % 3 === 2 ? 0.5 : undefined);
      if (next === undefined) break;
      const off = Math.abs(next.cut.place - place);
      if (off < best.off) best = { key: next.cut.key, off };
      if (next.node === undefined) break;
      node = next.node;
    }
    return best.key;
  }

  async #rootNode(): Promise<Node | undefined> {
    return this.#nodeUnder([], { from: 0, to: 1, rows: await this.#dives.rows([], []) });
  }

  async #nodeUnder(
    prefix: Key,
    { from, to, rows }: Pick<Node, 'from' | 'to' | 'rows'>,
  ): Promise<Node | undefined> {
    if (prefix.length >= this.#types.length) return undefined;
    const low = await this.#dives.least(prefix);
    const towards = await this.#dives.greatest(prefix);
    if (low === undefined || towards === undefined) return undefined;
    return { prefix, low, high: undefined, towards, from, to, rows };
  }

  /** Cuts the node near the place, or at `at` of its keys; undefined where it cannot be divided further. */
  async #narrow(node: Node, place: number, at?: number): Promise<Narrowed | undefined> {
    const { prefix, low, high, towards, from, to } = node;
    const type = this.#types[prefix.length]!;
    const wanted = at ?? Math.min(0.98, Math.max(0.02, (place - from) / (to - from)));
    const guess = interpolate(type, low, towards, wanted);
    let cut =
      guess === undefined ? undefined : await this.#dives.least(prefix, { value: guess, exclusive: false });
    if (cut === undefined || same(cut, low) || (high !== undefined && same(cut, high))) {
      cut = await this.#dives.least(prefix, { value: low, exclusive: true });
      // One value alone: the next column tells its rows apart.
      if (cut === undefined || (high !== undefined && same(cut, high))) {
        const under = await this.#nodeUnder([...prefix, low], node);
        return under && { node: under, cut: { key: [...under.prefix, under.low], place: from } };
      }
    }
    const left = await this.#dives.rows([...prefix, low], [...prefix, cut]);
    const part = node.rows <= 0 ? 0.5 : Math.min(1, left / node.rows);
    const middle = from + (to - from) * part;
    const narrowed: Node =
      middle <= place
        ? { ...node, low: cut, from: middle, rows: Math.max(0, node.rows - left) }
        : { ...node, high: cut, towards: cut, to: middle, rows: left };
    const empty = narrowed.to <= narrowed.from;
    return { node: empty ? undefined : narrowed, cut: { key: [...prefix, cut], place: middle } };
  }
}

function same(a: KeyValue, b: KeyValue): boolean {
  return Buffer.isBuffer(a) && Buffer.isBuffer(b) ? a.equals(b) : String(a) === String(b);
}
