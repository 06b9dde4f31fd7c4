import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fillAppTables, rowsForTable } from '../app-data.ts';
import { type PostgresCluster, startPostgresCluster } from '../postgres-cluster.ts';
import type { PostgresServer } from '../postgres-server.ts';
import type { Database, DatabaseKind, DatabaseServer, StartDatabaseOptions } from './database.ts';
import type { PoolMap } from './pool-map.ts';
import { mapPostgresPool, postgresHeat } from './postgres-pool-map.ts';

const blockBytes = 8192;

export const postgresKind: DatabaseKind = {
  title: 'PostgreSQL',
  blockBytes,
  heat: postgresHeat,
  hotHeat: 3,
  keyIncluded: false,
  rowsForTable,
  describePool: (poolMb) => `shared_buffers ${poolMb}MB`,
  startMs: (dataMb) => 3_000 + 16 * dataMb,
  start,
};

async function start({ owned, replicas, poolMb, tables }: StartDatabaseOptions): Promise<Database> {
  const cluster = await startPostgresCluster({
    owned,
    replicas,
    settings: {
      io_max_combine_limit: '1MB',
      shared_buffers: `${poolMb}MB`,
      max_wal_size: '256MB',
      wal_keep_size: '64MB',
    },
    load: (client) =>
      fillAppTables(
        client,
        tables.map(({ name, sizeMb }) => ({ name, rowCount: rowsForTable(sizeMb) })),
      ),
  });
  for (const { vm } of tables) await cluster.addRole(vm);
  // As deep below the package's root from src/ as from dist/.
  const setup = new URL('../../../sql/postgres/setup.sql', import.meta.url);
  await cluster.primary.query(readFileSync(setup, 'utf8'));
  await cluster.waitForReplay();
  return {
    version: cluster.binaries.version,
    server: (name) => new PostgresReplica(cluster, cluster.server(name)),
  };
}

/** The server itself, for what only PostgreSQL has. */
export function postgresOf(server: DatabaseServer): PostgresServer {
  if (!(server instanceof PostgresReplica)) throw new Error(`${server.name} is no PostgreSQL server`);
  return server.postgres;
}

class PostgresReplica implements DatabaseServer {
  readonly name: string;
  readonly dataDir: string;
  readonly url: string;
  readonly agentDatabase: DatabaseServer['agentDatabase'];
  readonly #cluster: PostgresCluster;
  readonly #server: PostgresServer;

  constructor(cluster: PostgresCluster, server: PostgresServer) {
    this.#cluster = cluster;
    this.#server = server;
    this.name = server.name;
    this.dataDir = server.dataDir;
    this.url = server.url();
    this.agentDatabase = {
      engine: 'postgres',
      url: server.url({ role: 'forewarm', applicationName: 'forewarm' }),
    };
  }

  get postgres(): PostgresServer {
    return this.#server;
  }

  get pid(): number | undefined {
    return this.#server.pid;
  }

  async stop(): Promise<void> {
    await this.#server.stop('fast');
  }

  async start(): Promise<void> {
    await this.#server.start();
  }

  async emptyPool(): Promise<boolean> {
    const name = 'pg_buffercache_evict_all';
    const [known] = await this.#server.query('SELECT FROM pg_proc WHERE proname = $1', [name]);
    if (known === undefined) return false;
    await this.#server.query(`SELECT ${name}()`);
    return true;
  }

  async caughtUp(): Promise<void> {
    await this.#cluster.waitForReplay();
  }

  async bringIn(table: string): Promise<void> {
    await this.#server.query(
      `SELECT pg_prewarm(c) FROM unnest(ARRAY['${table}', '${table}_pkey']::regclass[]) AS c`,
    );
  }

  async bringInAsAt(pool: PoolMap): Promise<boolean> {
    for (const { name, heats } of pool) {
      await this.#server.query(
        "SELECT count(pg_prewarm($1::regclass, 'buffer', 'main', b, b)) FROM unnest($2::int8[]) AS b",
        [name, [...heats.keys()]],
      );
    }
    return true;
  }

  async fillPageCache(table: string): Promise<void> {
    const rows = await this.#server.query<{ path: string }>(
      'SELECT pg_relation_filepath(c) AS path FROM unnest(ARRAY[$1, $2]::regclass[]) AS c',
      [table, `${table}_pkey`],
    );
    for (const { path } of rows) {
      const stream = createReadStream(join(this.dataDir, path), { highWaterMark: 1 << 20 });
      for await (const _ of stream);
    }
  }

  async misses(table: string): Promise<number> {
    return this.#count('sum(heap_blks_read + coalesce(idx_blks_read, 0))', table);
  }

  async reads(table: string): Promise<number> {
    return this.#count(
      'sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0))',
      table,
    );
  }

  /** From the statements' own counts: the server's other counters come seconds late. */
  async missedBytes(role: string): Promise<number> {
    const [row] = await this.#server.query<{ blocks: string }>(
      'SELECT coalesce(sum(shared_blks_read), 0)::text AS blocks FROM pg_stat_statements WHERE userid = $1::regrole',
      [role],
    );
    return Number(row?.blocks ?? 0) * blockBytes;
  }

  async map(tables: readonly string[]): Promise<PoolMap> {
    return mapPostgresPool(this.#server, tables);
  }

  async agentSessions(): Promise<readonly string[]> {
    const rows = await this.#server.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE usename = 'forewarm'",
    );
    return rows.map(({ pid }) => `/proc/${pid}/stat`);
  }

  async #count(what: string, table: string): Promise<number> {
    const [row] = await this.#server.query<{ blocks: string }>(
      `SELECT coalesce(${what}, 0)::text AS blocks FROM pg_statio_user_tables WHERE relname = $1`,
      [table],
    );
    return Number(row?.blocks ?? 0);
  }
}
