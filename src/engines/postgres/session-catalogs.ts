import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { type BlockRanges, blockCount, emptyRanges, maxHeat } from '../../planning/block-ranges.ts';
import { heatBand, splitAt } from '../../planning/range-cuts.ts';
import type { Fork, RelationRef } from '../../planning/work-set.ts';
import type { CatalogRelation } from './catalog.ts';
import type { PostgresConnections } from './connections.ts';
import type { Storage } from './pool-walk.ts';
import { sqlStatement } from './sql.ts';

const sessionCatalogsStatement = sqlStatement('session-catalogs');

/** Catalogs seldom move to other files; a block list of one that has is of no file, and nothing is read by it. */
const goodForMs = 600_000;
/** All of it together takes no more than this of the pool, and no more blocks. */
const largestPart = 1 / 64;
const mostBlocks = 256;

/** A catalog that sessions read, or an index of one, as this server has it. No VM's statements account for it. */
export interface SessionCatalog extends RelationRef, Pick<CatalogRelation, 'oid' | 'filenode'> {
  readonly storage: Storage;
}

interface Row extends Pick<SessionCatalog, 'oid' | 'name'> {
  readonly kind: 'table' | 'index';
  readonly parent: string | null;
  readonly tablespace: number;
  readonly database_oid: number;
  readonly filenode_number: number;
}

type Named = Pick<RelationRef, 'database' | 'schema' | 'name'>;

/** What a new session reads of the server's own catalogs before it has planned its first statements. */
export class SessionCatalogs {
  readonly #connections: PostgresConnections;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #known = new Map<
    string,
    { readonly atMs: number; readonly catalogs: Promise<readonly SessionCatalog[]> }
  >();

  constructor(connections: PostgresConnections, logger: Logger, clock: Clock = systemClock) {
    this.#connections = connections;
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Those of the databases of these relations, but for what is among them; what databases share, once. */
  async beside(relations: readonly Named[]): Promise<SessionCatalog[]> {
    const named = new Set(relations.map(keyOf));
    const databases = [...new Set(relations.map(({ database }) => database))].filter((database) =>
      this.#connections.databases.includes(database),
    );
    const read = await Promise.all(databases.map((database) => this.#of(database)));
    const others = read.flat().filter((catalog) => !named.has(keyOf(catalog)));
    return [...new Map(others.toReversed().map((catalog) => [catalog.filenode, catalog])).values()].reverse();
  }

  /** One of them by name; undefined for what is none. */
  async find(wanted: Named): Promise<SessionCatalog | undefined> {
    if (!this.#connections.databases.includes(wanted.database)) return undefined;
    const key = keyOf(wanted);
    return (await this.#of(wanted.database)).find((catalog) => keyOf(catalog) === key);
  }

  /** Empty where they cannot be told now: what is warmed beside them must not depend on it. */
  #of(database: string): Promise<readonly SessionCatalog[]> {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#known.get(database);
    if (known !== undefined && nowMs < known.atMs + goodForMs) return known.catalogs;
    // Without a caller's signal, for several callers share one answer.
    const catalogs = this.#connections
      .query<Row>(database, sessionCatalogsStatement)
      .then((rows) => rows.map((row) => toCatalog(database, row)))
      .catch((error) => {
        this.#known.delete(database);
        this.#logger.debug({ database, error: String(error) }, 'the catalogs are left out');
        return [];
      });
    this.#known.set(database, { atMs: nowMs, catalogs });
    return catalogs;
  }
}

const keyOf = ({ database, schema, name }: Named) => JSON.stringify([database, schema, name]);

function toCatalog(database: string, row: Row): SessionCatalog {
  const { oid, name, kind, parent, tablespace, database_oid, filenode_number } = row;
  return {
    ...{ database, schema: 'pg_catalog', name, kind, oid },
    ...(parent === null ? {} : { parent }),
    filenode: `${tablespace}/${database_oid}/${filenode_number}`,
    storage: [tablespace, database_oid, filenode_number],
  };
}

/**
 * Of what the pool holds of each, the blocks of its main fork that are as hot as blocks get, for sessions read those
 * all the time; whole relations first, the smallest before the others. In the order of the list.
 */
export function hottest(
  held: readonly (ReadonlyMap<Fork, BlockRanges> | undefined)[],
  poolBlocks: number,
): readonly BlockRanges[] {
  const hot = held.map((forks) => heatBand(forks?.get('main') ?? emptyRanges, maxHeat, maxHeat));
  const taken = hot.map(() => emptyRanges);
  let left = Math.min(mostBlocks, Math.floor(poolBlocks * largestPart));
  const smallestFirst = hot
    .map((_, index) => index)
    .sort((a, b) => blockCount(hot[a]!) - blockCount(hot[b]!));
  for (const index of smallestFirst) {
    [taken[index]] = splitAt(hot[index]!, left);
    left -= blockCount(taken[index]!);
  }
  return taken;
}
