import { type KeyNode, keyOf } from './key-division.ts';
import { type Bound, type Guess, guessIn, type KeyFinder, nodeAt } from './key-space.ts';
import type { ValueType } from './key-values.ts';

/** Places as another copy of the index told them: nothing is asked, and they are as wrong as they were there. */
export class ToldKeySpace implements KeyFinder {
  readonly #nodes: readonly KeyNode[];
  readonly #types: readonly ValueType[];

  /** `types`: of the index's columns that can bound a range, from the first on. */
  constructor(nodes: readonly KeyNode[], types: readonly ValueType[]) {
    this.#nodes = nodes;
    this.#types = types;
  }

  async boundAt(place: number): Promise<Bound> {
    if (place <= 0) return [];
    const node = this.#nodes.find(({ to }) => to > place);
    if (place >= 1 || node === undefined) return 'end';
    const guess = guessIn(node, this.#types, place);
    return guess === undefined ? keyOf(node) : [...guess.prefix, guess.value];
  }

  async guessAt(place: number): Promise<Guess | undefined> {
    const node = nodeAt(this.#nodes, place);
    return node && guessIn(node, this.#types, place);
  }

  async nodes(): Promise<readonly KeyNode[]> {
    return this.#nodes;
  }
}
