import type { ProfileRelation } from '../../messages/profile.ts';
import type { WorkSet, WorkSetRelation } from '../../planning/work-set.ts';
import { cachedKey, readCachedPages } from './cached-pages.ts';
import type { MysqlConnections } from './connections.ts';
import type { MysqlIdentity } from './identity.ts';
import { indexNameOf, refOf } from './names.ts';
import { wantedPages } from './placement.ts';
import { readIndexes, type StoredIndex } from './stored-indexes.ts';

/**
 * How much of the profile's indexes the pool holds, partition by partition. Blocks are places in key order, not
 * page numbers: they mean the same on every copy of the rows.
 */
export async function readWorkSet(
  connections: MysqlConnections,
  identity: MysqlIdentity,
  options: {
    readonly vm: string;
    readonly relations: readonly ProfileRelation[];
    readonly signal?: AbortSignal | undefined;
  },
): Promise<WorkSet> {
  const { relations, signal, vm } = options;
  const named = relations.flatMap((relation) => {
    const name = indexNameOf(relation);
    return name === undefined ? [] : [{ ...name, share: relation.share }];
  });
  const stored = await readIndexes(connections, named, { pageBytes: identity.blockBytes, signal });
  const cached = await readCachedPages(connections, stored, signal);
  const pieces = named.flatMap((profiled) => {
    const mine = stored.filter((one) => sameTree(one, profiled));
    const pages = mine.map((one) => cached.get(cachedKey(one)) ?? 0);
    const all = pages.reduce((sum, count) => sum + count, 0);
    return mine.map((one, at) =>
      pieceOf(one, pages[at]!, all > 0 ? (profiled.share * pages[at]!) / all : profiled.share / mine.length),
    );
  });
  return {
    vm,
    source: connections.replica,
    systemId: identity.systemId,
    blockBytes: identity.blockBytes,
    takenAt: new Date().toISOString(),
    blocksKnown: true,
    // The pool is read and written past the OS cache.
    secondTier: 'measured',
    relations: pieces,
  };
}

const sameTree = (
  stored: StoredIndex,
  wanted: { readonly database: string; readonly table: string; readonly index: string | undefined },
): boolean =>
  stored.database === wanted.database && stored.table === wanted.table && stored.index === wanted.index;

function pieceOf(stored: StoredIndex, count: number, share: number): WorkSetRelation {
  const sizeBlocks = Math.max(stored.pages, count);
  return {
    ...refOf(stored),
    fork: 'main',
    filenode: '',
    sizeBlocks,
    share,
    ranges: wantedPages(count, sizeBlocks),
  };
}
