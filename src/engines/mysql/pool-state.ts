import type { BlockRanges } from '../../planning/block-ranges.ts';
import { emptyRanges } from '../../planning/block-ranges.ts';
import { relationKey } from '../../planning/work-set.ts';
import type { LocalRelation, PoolState } from '../engine.ts';
import { cachedKey, readCachedPages } from './cached-pages.ts';
import type { MysqlConnections } from './connections.ts';
import type { MysqlIdentity } from './identity.ts';
import { placePages } from './placement.ts';
import { isAllowed } from './privileges.ts';
import { sqlStatement } from './sql.ts';
import type { StoredIndex } from './stored-indexes.ts';

const countsStatement = sqlStatement('pool-counts');

/**
 * Of the old sublist, the part that counts as free for the taking. What residents use of it meanwhile goes back to
 * the young one, and as many others go in its place; and besides what was planned, pages above the leaves are read.
 */
const takenOfOld = 0.9;

interface Counts {
  readonly poolPages: number | string;
  readonly freePages: number | string;
  readonly usedPages: number | string;
  readonly oldPages: number | string;
}

/** What the pool holds of these indexes; the old sublist counts as cold, the young one as hot. */
export async function readPoolState(
  connections: MysqlConnections,
  identity: MysqlIdentity,
  asked: {
    readonly relations: readonly LocalRelation[];
    readonly indexOf: (relation: LocalRelation) => StoredIndex | undefined;
    /** Which places of it are held, as far as that is known, where so many pages are. */
    readonly heldOf: (relation: LocalRelation, count: number) => Promise<BlockRanges>;
  },
): Promise<PoolState> {
  const { poolBlocks } = identity;
  let counts: Counts | undefined;
  const known = await isAllowed(async () => {
    [counts] = await connections.query<Counts>(countsStatement, [], { purpose: 'walk' });
  });
  if (!known || counts === undefined) {
    const blocksByHeat = [0, 0, 0, 0, 0, 0];
    return { known: false, poolBlocks, freeBlocks: 0, blocksByHeat, resident: new Map(), osCacheBytes: null };
  }
  const indexes = asked.relations.flatMap((relation) => asked.indexOf(relation) ?? []);
  const cached = await readCachedPages(connections, indexes);
  const resident = new Map<string, BlockRanges>();
  for (const relation of asked.relations) {
    const index = asked.indexOf(relation);
    const count = index === undefined ? 0 : (cached.get(cachedKey(index)) ?? 0);
    const known = await asked.heldOf(relation, count);
    resident.set(
      relationKey(relation),
      count === 0 ? emptyRanges : placePages(count, relation.sizeBlocks, known),
    );
  }
  const old = Math.floor(Number(counts.oldPages) * takenOfOld);
  return {
    known: true,
    poolBlocks: Number(counts.poolPages),
    freeBlocks: Number(counts.freePages),
    blocksByHeat: [0, old, 0, 0, 0, Math.max(0, Number(counts.usedPages) - old)],
    resident,
    // Reads go past the OS cache.
    osCacheBytes: null,
  };
}
