import { systemClock } from '../../lib/clock.ts';
import { type BlockRanges, emptyRanges } from '../../planning/block-ranges.ts';
import { relationKey } from '../../planning/work-set.ts';
import type { LocalRelation, PoolState } from '../engine.ts';
import { availableMemoryBytes } from './available-memory.ts';
import type { CatalogRelation } from './catalog.ts';
import type { PostgresConnections } from './connections.ts';
import type { PostgresIdentity } from './identity.ts';
import { type PoolWalk, poolViewDatabase, type Storage, walkPool } from './pool-walk.ts';
import { sqlStatement } from './sql.ts';

const ownProcessStatement = sqlStatement('own-process');

interface Walked {
  readonly filenodes: readonly string[];
  readonly walk: PoolWalk;
  /** Monotonic: when it was done, and how long it is as good as a new one. */
  readonly endMs: number;
  readonly goodForMs: number;
}

/** A walk that was begun ahead is good for as long as it took, and at least for so long. */
const leastGoodMs = 1_000;

/** The pool as this server shows it; each look is one walk of all of it. */
export class PoolStates {
  readonly #connections: PostgresConnections;
  #ahead: Promise<Walked | undefined> | undefined;

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
  }

  /** Begins the walk that the next `read` needs, if that is of these relations or fewer. */
  foresee(identity: PostgresIdentity, relations: readonly CatalogRelation[]): void {
    const stored = relations.flatMap(({ storage, filenode }) => (storage === undefined ? [] : [filenode]));
    // Whoever needs it walks then, and is told what stands in the way.
    this.#ahead = this.#walk(identity, [...new Set(stored)]).catch(() => undefined);
  }

  /** The pool, and what it holds of these relations. */
  async read(identity: PostgresIdentity, relations: readonly LocalRelation[]): Promise<PoolState> {
    const osCacheBytes = await this.#osCacheBytes();
    const needed = [...new Set(relations.map((relation) => relation.filenode))];
    const walked = (await this.#takeAhead(needed)) ?? (await this.#walk(identity, needed));
    const { poolBlocks } = identity;
    if (walked === undefined) {
      const blocksByHeat = [0, 0, 0, 0, 0, 0];
      return { known: false, poolBlocks, freeBlocks: 0, blocksByHeat, resident: new Map(), osCacheBytes };
    }
    const { filenodes, walk } = walked;
    const byKey = new Map<string, BlockRanges>(
      relations.map((relation) => [
        relationKey(relation),
        walk.resident.get(filenodes.indexOf(relation.filenode))?.get(relation.fork) ?? emptyRanges,
      ]),
    );
    return {
      known: true,
      poolBlocks,
      freeBlocks: walk.counts?.free ?? 0,
      blocksByHeat: walk.counts?.byUsage ?? [0, 0, 0, 0, 0, 0],
      resident: byKey,
      osCacheBytes,
    };
  }

  async #osCacheBytes(): Promise<number | null> {
    const { onThisHost, mainDatabase } = this.#connections;
    if (!onThisHost) return null;
    const [row] = await this.#connections.query<{ pid: number }>(mainDatabase, ownProcessStatement);
    return row === undefined ? null : await availableMemoryBytes(row.pid);
  }

  /** Serves once: what is read after it is not in it. */
  async #takeAhead(needed: readonly string[]): Promise<Walked | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const walked = await ahead;
    if (walked === undefined || systemClock.monotonicMs() > walked.endMs + walked.goodForMs) return undefined;
    return needed.every((filenode) => walked.filenodes.includes(filenode)) ? walked : undefined;
  }

  /** Undefined where no database lets the pool be seen. */
  async #walk(identity: PostgresIdentity, filenodes: readonly string[]): Promise<Walked | undefined> {
    const database = poolViewDatabase(identity);
    if (database === undefined) return undefined;
    const startMs = systemClock.monotonicMs();
    const storages = filenodes.map(storageOf);
    const walk = await walkPool(this.#connections, identity, { database, storages, counts: true });
    const endMs = systemClock.monotonicMs();
    return { filenodes, walk, endMs, goodForMs: Math.max(leastGoodMs, endMs - startMs) };
  }
}

function storageOf(filenode: string): Storage {
  const [tablespace = 0, database = 0, file = 0] = filenode.split('/').map(Number);
  return [tablespace, database, file];
}
