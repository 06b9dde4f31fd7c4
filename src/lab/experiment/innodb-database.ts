import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fillInnodbTables, innodbPageBytes, innodbRowsForTable } from '../mysql-app-data.ts';
import { type MysqlCluster, startMysqlCluster } from '../mysql-cluster.ts';
import { type MysqlKind, mysqlTraits } from '../mysql-kinds.ts';
import { runScript } from '../mysql-script.ts';
import type { MysqlServer } from '../mysql-server.ts';
import { defaultDatabase } from '../mysql-settings.ts';
import type { Database, DatabaseKind, DatabaseServer, StartDatabaseOptions } from './database.ts';
import { innodbHeat, mapInnodbPool } from './innodb-pool-map.ts';
import type { PoolMap } from './pool-map.ts';

const agentPassword = 'secret';

export function innodbKind(kind: MysqlKind): DatabaseKind {
  return {
    title: mysqlTraits[kind].title,
    blockBytes: innodbPageBytes,
    maxReadBytes: innodbPageBytes,
    heat: innodbHeat,
    hotHeat: innodbHeat.names.indexOf('young') + 1,
    // It tells how much of an index its pool holds, not which pages.
    hotPlace: 'middle',
    keyIncluded: true,
    rowsForTable: innodbRowsForTable,
    describePool: (poolMb) => `innodb_buffer_pool_size ${poolMb}M`,
    startMs: (dataMb) => 6_000 + 70 * dataMb,
    start: (options) => start(kind, options),
  };
}

async function start(kind: MysqlKind, options: StartDatabaseOptions): Promise<Database> {
  const { owned, replicas, poolMb, tables } = options;
  // As deep below the package's root from src/ as from dist/.
  const setup = readFileSync(new URL('../../../sql/mysql/setup.sql', import.meta.url), 'utf8');
  const cluster = await startMysqlCluster({
    ...{ owned, kind, replicas, origin: 'physical' },
    // A page that is torn by a crash of the machine would go with the rest of the data.
    settings: { innodb_buffer_pool_size: `${poolMb}M`, innodb_doublewrite: false },
    load: async (connection) => {
      await fillInnodbTables(
        connection,
        tables.map(({ name, sizeMb }) => ({ name, rowCount: innodbRowsForTable(sizeMb) })),
      );
      await connection.query('SET @forewarm_password = ?, @forewarm_database = ?', [
        agentPassword,
        defaultDatabase,
      ]);
      await runScript(connection, setup);
    },
  });
  for (const { vm } of tables) await cluster.addUser(vm);
  return {
    version: cluster.binaries.version,
    server: (name) => new InnodbReplica(cluster, cluster.server(name)),
  };
}

/** The server itself, for what only InnoDB has. */
export function innodbOf(server: DatabaseServer): MysqlServer {
  if (!(server instanceof InnodbReplica)) throw new Error(`${server.name} is no InnoDB server`);
  return server.mysql;
}

class InnodbReplica implements DatabaseServer {
  readonly name: string;
  readonly dataDir: string;
  readonly url: string;
  readonly agentDatabase: DatabaseServer['agentDatabase'];
  readonly #cluster: MysqlCluster;
  readonly #server: MysqlServer;

  constructor(cluster: MysqlCluster, server: MysqlServer) {
    this.#cluster = cluster;
    this.#server = server;
    this.name = server.name;
    this.dataDir = server.dataDir;
    this.url = server.url();
    this.agentDatabase = {
      engine: server.kind,
      url: server.url({ user: 'forewarm', password: agentPassword }),
    };
  }

  get mysql(): MysqlServer {
    return this.#server;
  }

  get pid(): number | undefined {
    return this.#server.pid;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  async start(): Promise<void> {
    await this.#server.start();
  }

  async emptyPool(): Promise<boolean> {
    return false;
  }

  async caughtUp(): Promise<void> {
    await this.#cluster.waitForReplicas();
  }

  async bringIn(table: string): Promise<void> {
    await this.#server.query('SELECT SUM(LENGTH(filler)) FROM ??', [table]);
  }

  /** Nothing: data files are read past it. */
  async bringInAsAt(): Promise<boolean> {
    return false;
  }

  async fillPageCache(): Promise<void> {}

  async misses(table: string): Promise<number> {
    return (await this.#fileReads(table)).count;
  }

  /** Those from the disk alone: InnoDB does not count hits by table. */
  async reads(table: string): Promise<number> {
    return this.misses(table);
  }

  async missedBytes(_role: string, table: string): Promise<number> {
    return (await this.#fileReads(table)).bytes;
  }

  async map(tables: readonly string[]): Promise<PoolMap> {
    return mapInnodbPool(
      this.#server,
      tables.map((name) => ({ name, file: this.#fileOf(name) })),
    );
  }

  async agentSessions(): Promise<readonly string[]> {
    const rows = await this.#server.query<{ thread: number }>(
      "SELECT THREAD_OS_ID AS thread FROM performance_schema.threads WHERE PROCESSLIST_USER = 'forewarm' AND THREAD_OS_ID IS NOT NULL",
    );
    return rows.map(({ thread }) => `/proc/${this.pid}/task/${thread}/stat`);
  }

  #fileOf(table: string): string {
    return join(this.dataDir, defaultDatabase, `${table}.ibd`);
  }

  async #fileReads(table: string): Promise<{ readonly count: number; readonly bytes: number }> {
    const [row] = await this.#server.query<{ count: number | string; bytes: number | string }>(
      `SELECT COUNT_READ AS count, SUM_NUMBER_OF_BYTES_READ AS bytes
         FROM performance_schema.file_summary_by_instance WHERE FILE_NAME LIKE ?`,
      [`%/${defaultDatabase}/${table.replaceAll('_', '\\_')}.ibd`],
    );
    return { count: Number(row?.count ?? 0), bytes: Number(row?.bytes ?? 0) };
  }
}
