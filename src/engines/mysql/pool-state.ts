import type { BlockRanges } from '../../planning/block-ranges.ts';
import { emptyRanges } from '../../planning/block-ranges.ts';
import { relationKey } from '../../planning/work-set.ts';
import { BegunAhead } from '../begun-ahead.ts';
import type { LocalRelation, PoolState } from '../engine.ts';
import { type CachedPages, type CachedPagesReader, cachedKey } from './cached-pages.ts';
import type { MysqlConnections } from './connections.ts';
import type { MysqlIdentity } from './identity.ts';
import { OldInUse } from './old-in-use.ts';
import { placePages } from './placement.ts';
import { isAllowed } from './privileges.ts';
import { sqlStatement } from './sql.ts';
import type { StoredIndex } from './stored-indexes.ts';

const countsStatement = sqlStatement('pool-counts');
const upTimeStatement = sqlStatement('up-time');
const madeYoungStatement = sqlStatement('made-young');

/**
 * Of the old sublist, the part that counts as free for the taking. What residents use of it meanwhile goes back to
 * the young one, and as many others go in its place; and besides what was planned, pages above the leaves are read.
 */
const takenOfOld = 0.9;
/** A page that is used often counts several times among those in use. */
const mostOfOldInUse = 0.5;

interface Counts {
  readonly poolPages: number | string;
  readonly freePages: number | string;
  readonly usedPages: number | string;
  readonly oldPages: number | string;
}

interface Seen {
  readonly indexes: readonly StoredIndex[];
  readonly cached: CachedPages;
}

/** The pool as this server shows it; on MariaDB each look is one walk of all of it. */
export class PoolStates {
  readonly #connections: MysqlConnections;
  readonly #cached: CachedPagesReader;
  readonly #ahead = new BegunAhead<Seen>();
  readonly #oldInUse = new OldInUse();

  constructor(connections: MysqlConnections, cached: CachedPagesReader) {
    this.#connections = connections;
    this.#cached = cached;
  }

  /** Call with each look at the server: see `OldInUse`. */
  async look(): Promise<void> {
    await isAllowed(async () => {
      const [row] = await this.#connections.query<{ madeYoung: number | string }>(madeYoungStatement);
      if (row !== undefined) this.#oldInUse.look(Number(row.madeYoung));
    });
  }

  /** Call when something is read for a VM, and its result when that is done. */
  disturb(): () => void {
    return this.#oldInUse.disturb();
  }

  /** Begins the walk that the next `read` needs, if that is of these indexes or fewer. */
  foresee(indexes: readonly StoredIndex[]): void {
    this.#ahead.begin(async () => ({ indexes, cached: await this.#cached.read(indexes) }));
  }

  /** What the pool holds of these relations; the old sublist counts as cold but for what residents use of it, the young one as hot. */
  async read(
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
      [counts] = await this.#connections.query<Counts>(countsStatement, [], { purpose: 'walk' });
    });
    if (!known || counts === undefined) {
      const blocksByHeat = [0, 0, 0, 0, 0, 0];
      return {
        known: false,
        poolBlocks,
        freeBlocks: 0,
        blocksByHeat,
        resident: new Map(),
        osCacheBytes: null,
      };
    }
    const [up] = await this.#connections.query<{ Value: string }>(upTimeStatement, [], { purpose: 'walk' });
    const cached = await this.#cachedPages(asked.relations.flatMap((one) => asked.indexOf(one) ?? []));
    const resident = new Map<string, BlockRanges>();
    for (const relation of asked.relations) {
      const index = asked.indexOf(relation);
      const count = index === undefined ? 0 : (cached.get(cachedKey(index)) ?? 0);
      const held = await asked.heldOf(relation, count);
      resident.set(
        relationKey(relation),
        count === 0 ? emptyRanges : placePages(count, relation.sizeBlocks, held),
      );
    }
    const taken = Number(counts.oldPages) * takenOfOld;
    const old = Math.floor(taken - Math.min(this.#oldInUse.pages, taken * mostOfOldInUse));
    return {
      known: true,
      poolBlocks: Number(counts.poolPages),
      freeBlocks: Number(counts.freePages),
      blocksByHeat: [0, old, 0, 0, 0, Math.max(0, Number(counts.usedPages) - old)],
      upMs: up === undefined ? undefined : Number(up.Value) * 1_000,
      resident,
      heatsUnknown: true,
      // Reads go past the OS cache.
      osCacheBytes: null,
    };
  }

  async #cachedPages(indexes: readonly StoredIndex[]): Promise<CachedPages> {
    const keys = indexes.map(cachedKey);
    const serves = (seen: Seen) => {
      const there = new Set(seen.indexes.map(cachedKey));
      return keys.every((key) => there.has(key));
    };
    const ahead = await this.#ahead.take(serves);
    return ahead?.cached ?? (await this.#cached.read(indexes));
  }
}
