import {
  type Dives,
  Division,
  type DivisionLimits,
  type Key,
  type KeyNode,
  keyOf,
  type Node,
  placeAll,
} from './key-division.ts';
import { interpolate, type KeyValue, type ValueType } from './key-values.ts';

/** Where a stretch of an index begins or ends; its begin is the empty key. */
export type Bound = Key | 'end';

const maxDescents = 12;

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
   * neighbours. `clear`: not in this part of the index behind a cut whose rows were counted, for that the pages there
   * were read.
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
  readonly #division: Division;
  readonly #types: readonly ValueType[];
  readonly #bounds = new Map<number, Promise<Bound>>();
  #nodes: Promise<readonly Node[]> | undefined;

  /**
   * `types`: of the index's columns that can bound a range, from the first on. The finer it is divided, the more exact
   * are places, and the more pages are read for it.
   */
  constructor(dives: Dives, types: readonly ValueType[], limits: Partial<DivisionLimits> = {}) {
    this.#division = new Division(dives, types, limits);
    this.#types = types;
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
    if (node === undefined) return undefined;
    const from = node.from + (node.counted ? clear : 0);
    return guessIn(node, this.#types, Math.max(place, Math.min(from, (node.from + node.to) / 2)));
  }

  #known(): Promise<readonly Node[]> {
    if (this.#nodes !== undefined) return this.#nodes;
    const finding = this.#division.nodes();
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
      const parts = await this.#division.cut(node, descent % 3 === 2 ? 0.5 : wanted);
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
