import type { MysqlConnections } from './connections.ts';
import { createDives } from './dives.ts';
import { KeySpace } from './key-space.ts';
import type { ValueType } from './key-values.ts';
import { type StoredIndex, storedKey } from './stored-indexes.ts';

/** An index that grew by more than this part of itself has its places found anew. */
const outgrown = 0.05;

/** Each cut reads some ten pages: of a small index, a partition's for instance, fewer are made. */
const cuts = { least: 8, most: 64, usual: 32 };
const pagesPerCut = { upToUsual: 27, beyond: 100 };
/** Rows of one value on fewer pages are not looked at by themselves: that would read a good part of the index. */
const ownPages = 16;
/**
 * An index's part, and estimated pages, below which even uneven keys are divided no further: shorter halves are
 * counted by the server, longer ones estimated as twice as long, and the two cannot be held against each other.
 */
const finest = { part: 1 / 64, pages: 100 };

/** The places of each index, kept while it stays as it is. */
export class KeySpaces {
  readonly #connections: MysqlConnections;
  readonly #known = new Map<string, { readonly index: StoredIndex; readonly space: KeySpace }>();

  constructor(connections: MysqlConnections) {
    this.#connections = connections;
  }

  of(index: StoredIndex): KeySpace {
    const key = storedKey(index);
    const known = this.#known.get(key);
    if (known !== undefined && sameShape(known.index, index) && !grew(known.index, index)) return known.space;
    const space = new KeySpace(createDives(this.#connections, index), typesOf(index), {
      finest: Math.max(finest.part, finest.pages / index.pages),
      mostCuts: cutsOf(index.pages),
      ownStretch: ownPages / index.pages,
    });
    this.#known.set(key, { index, space });
    return space;
  }
}

function cutsOf(pages: number): number {
  const few = Math.min(cuts.usual, Math.max(cuts.least, Math.round(pages / pagesPerCut.upToUsual)));
  return Math.min(cuts.most, Math.max(few, Math.round(pages / pagesPerCut.beyond)));
}

/** Of the columns that can bound a range. */
export const typesOf = (index: StoredIndex): ValueType[] => index.columns.map((column) => column.type);

/** True where a place in one is found in the other by the same questions. */
export const sameShape = (a: StoredIndex, b: StoredIndex): boolean =>
  a.keyName === b.keyName && JSON.stringify(a.columns) === JSON.stringify(b.columns);

const grew = (before: StoredIndex, now: StoredIndex): boolean =>
  Math.abs(now.pages - before.pages) > before.pages * outgrown;
