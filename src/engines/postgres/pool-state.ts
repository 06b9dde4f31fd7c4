import { type BlockRanges, emptyRanges } from '../../planning/block-ranges.ts';
import { relationKey } from '../../planning/work-set.ts';
import { BegunAhead } from '../begun-ahead.ts';
import type { LocalRelation, PoolState } from '../engine.ts';
import { availableMemoryBytes } from './available-memory.ts';
import type { CatalogRelation } from './catalog.ts';
import type { PostgresConnections } from './connections.ts';
import type { PostgresIdentity } from './identity.ts';
import { type PoolWalk, poolViewDatabase, type Storage, walkPool } from './pool-walk.ts';
import { sqlStatement } from './sql.ts';

const ownProcessStatement = sqlStatement('own-process');
const upTimeStatement = sqlStatement('up-time');

interface Walked {
  readonly filenodes: readonly string[];
  readonly walk: PoolWalk;
}

/** The pool as this server shows it; each look is one walk of all of it. */
export class PoolStates {
  readonly #connections: PostgresConnections;
  readonly #ahead = new BegunAhead<Walked | undefined>();

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
  }

  /** Begins the walk that the next `read` needs, if that is of these relations or fewer. */
  foresee(
    identity: PostgresIdentity,
    relations: readonly Pick<CatalogRelation, 'storage' | 'filenode'>[],
  ): void {
    const stored = relations.flatMap(({ storage, filenode }) => (storage === undefined ? [] : [filenode]));
    // Where it fails, whoever needs it walks then, and is told what stands in the way.
    this.#ahead.begin(() => this.#walk(identity, [...new Set(stored)]));
  }

  /** The pool, and what it holds of these relations. */
  async read(identity: PostgresIdentity, relations: readonly LocalRelation[]): Promise<PoolState> {
    const osCacheBytes = await this.#osCacheBytes();
    const { mainDatabase } = this.#connections;
    const [up] = await this.#connections.query<{ upMs: number }>(mainDatabase, upTimeStatement);
    const needed = [...new Set(relations.map((relation) => relation.filenode))];
    const serves = (walked: Walked | undefined) =>
      needed.every((filenode) => walked?.filenodes.includes(filenode));
    const walked = (await this.#ahead.take(serves)) ?? (await this.#walk(identity, needed));
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
      upMs: up?.upMs,
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

  /** Undefined where no database lets the pool be seen. */
  async #walk(identity: PostgresIdentity, filenodes: readonly string[]): Promise<Walked | undefined> {
    const database = poolViewDatabase(identity);
    if (database === undefined) return undefined;
    const storages = filenodes.map(storageOf);
    const walk = await walkPool(this.#connections, identity, { database, storages, counts: true });
    return { filenodes, walk };
  }
}

function storageOf(filenode: string): Storage {
  const [tablespace = 0, database = 0, file = 0] = filenode.split('/').map(Number);
  return [tablespace, database, file];
}
