import { readFile } from 'node:fs/promises';
import { type BlockRanges, emptyRanges } from '../../planning/block-ranges.ts';
import { relationKey } from '../../planning/work-set.ts';
import type { LocalRelation, PoolState } from '../engine.ts';
import type { PostgresConnections } from './connections.ts';
import type { PostgresIdentity } from './identity.ts';
import { poolViewDatabase, type Storage, walkPool } from './pool-walk.ts';

/** The pool, and what it holds of these relations, in one walk. */
export async function readPoolState(
  connections: PostgresConnections,
  identity: PostgresIdentity,
  relations: readonly LocalRelation[],
): Promise<PoolState> {
  const database = poolViewDatabase(identity);
  const osCacheBytes = connections.onThisHost ? await availableMemoryBytes() : null;
  if (database === undefined) {
    const blocksByHeat = [0, 0, 0, 0, 0, 0];
    const { poolBlocks } = identity;
    return { known: false, poolBlocks, freeBlocks: 0, blocksByHeat, resident: new Map(), osCacheBytes };
  }
  const filenodes = [...new Set(relations.map((relation) => relation.filenode))];
  const { resident, counts } = await walkPool(connections, identity, {
    database,
    storages: filenodes.map(storageOf),
    counts: true,
  });
  const byKey = new Map<string, BlockRanges>(
    relations.map((relation) => [
      relationKey(relation),
      resident.get(filenodes.indexOf(relation.filenode))?.get(relation.fork) ?? emptyRanges,
    ]),
  );
  return {
    known: true,
    poolBlocks: identity.poolBlocks,
    freeBlocks: counts?.free ?? 0,
    blocksByHeat: counts?.byUsage ?? [0, 0, 0, 0, 0, 0],
    resident: byKey,
    osCacheBytes,
  };
}

function storageOf(filenode: string): Storage {
  const [tablespace = 0, database = 0, file = 0] = filenode.split('/').map(Number);
  return [tablespace, database, file];
}

/** What the kernel says could be had without swapping; null where it does not say. */
async function availableMemoryBytes(): Promise<number | null> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}
