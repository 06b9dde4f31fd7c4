import type pg from 'pg';
import {
  createSwitchingMysqlPool,
  createSwitchingPgPool,
  type SwitchEvent,
  type SwitchOptions,
} from '../../../src/index.ts';
import { startMysqlCluster } from '../../../src/lab/mysql-cluster.ts';
import { type MysqlKind, mysqlTraits } from '../../../src/lab/mysql-kinds.ts';
import type { OwnedProcesses } from '../../../src/lab/owned-processes.ts';
import { startPostgresCluster } from '../../../src/lab/postgres-cluster.ts';
import type { AnyPool } from './switch-world.ts';

export type SiteKind = 'postgres' | MysqlKind;

/** A connection that somebody holds, whatever the driver. */
export interface Held {
  run(sql: string): Promise<unknown[]>;
  release(): void;
}

/** A pool of either kind behind one face. */
export interface SitePool extends AnyPool {
  run(sql: string): Promise<unknown[]>;
  /** The port of the server that a new checkout leads to. */
  port(): Promise<number>;
  hold(): Promise<Held>;
  end(): Promise<void>;
  onSwitch(listener: (event: SwitchEvent) => void): void;
}

export interface PoolExtras extends Partial<SwitchOptions> {
  /** Ports in place of servers, by replica: of proxies. */
  readonly ports?: Readonly<Record<string, number>>;
  readonly max?: number;
}

/** A primary with replicas `db1` and `db2`, and pools that may lead to any of them. */
export interface Site {
  readonly kind: SiteKind;
  port(name: string): number;
  pool(options: PoolExtras & Pick<SwitchOptions, 'vm' | 'nats'>): SitePool;
  write(sql: string): Promise<void>;
  replicated(): Promise<void>;
  pause(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  stop(name: string): Promise<void>;
  kill(name: string): Promise<void>;
  start(name: string): Promise<void>;
  /** Sessions of the pool's user at a server that is up. */
  sessions(name: string): Promise<number>;
  /** How many of them run that statement. */
  running(name: string, sql: string): Promise<number>;
}

export const names = ['primary', 'db1', 'db2'] as const;
const user = 'app';

export async function startSite(kind: SiteKind, owned: OwnedProcesses): Promise<Site> {
  return kind === 'postgres' ? await postgresSite(owned) : await mysqlSite(kind, owned);
}

async function postgresSite(owned: OwnedProcesses): Promise<Site> {
  const cluster = await startPostgresCluster({
    owned,
    replicas: ['db1', 'db2'],
    settings: { shared_buffers: '16MB' },
  });
  await cluster.primary.query('CREATE TABLE counter AS SELECT 0 AS n');
  await cluster.addRole(user);
  const server = (name: string) => cluster.server(name);
  return {
    kind: 'postgres',
    port: (name) => server(name).port,
    pool({ ports = {}, max = 8, ...options }) {
      const at = (name: string): pg.PoolConfig => ({
        host: '127.0.0.1',
        port: ports[name] ?? server(name).port,
        user,
        database: 'app',
      });
      const pool = createSwitchingPgPool({
        defaultReplica: 'db1',
        replicas: Object.fromEntries(names.map((name) => [name, at(name)])),
        pool: { max },
        ...options,
      });
      return Object.assign(pool, {
        run: async (sql: string) => (await pool.query(sql)).rows as unknown[],
        port: async () => {
          const { rows } = await pool.query<{ port: number }>(`SELECT current_setting('port')::int AS port`);
          return rows[0]!.port;
        },
        hold: async () => {
          const client = await pool.connect();
          return {
            run: async (sql: string) => (await client.query(sql)).rows as unknown[],
            release: () => client.release(),
          };
        },
        onSwitch: (listener: (event: SwitchEvent) => void) => void pool.on('switch', listener),
      }) as SitePool;
    },
    write: async (sql) => void (await cluster.primary.query(sql)),
    replicated: () => cluster.waitForReplay(),
    pause: async (name) => void (await server(name).query('SELECT pg_wal_replay_pause()')),
    resume: async (name) => void (await server(name).query('SELECT pg_wal_replay_resume()')),
    stop: (name) => server(name).stop('fast'),
    kill: (name) => server(name).stop('immediate'),
    start: (name) => server(name).start(),
    sessions: async (name) => {
      const text = 'SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = $1';
      return (await server(name).query<{ count: number }>(text, [user]))[0]!.count;
    },
    running: async (name, sql) => {
      const text = `SELECT count(*)::int AS count FROM pg_stat_activity
        WHERE usename = $1 AND state = 'active' AND query = $2`;
      return (await server(name).query<{ count: number }>(text, [user, sql]))[0]!.count;
    },
  };
}

async function mysqlSite(kind: MysqlKind, owned: OwnedProcesses): Promise<Site> {
  const cluster = await startMysqlCluster({
    owned,
    kind,
    replicas: ['db1', 'db2'],
    settings: { innodb_buffer_pool_size: '32M' },
    load: async (connection) => {
      await connection.query('CREATE TABLE counter AS SELECT 0 AS n');
    },
  });
  await cluster.addUser(user);
  const server = (name: string) => cluster.server(name);
  const applying = kind === 'mariadb' ? 'SLAVE' : 'REPLICA';
  return {
    kind,
    port: (name) => server(name).port,
    pool({ ports = {}, max = 8, ...options }) {
      const at = (name: string) => ({
        host: '127.0.0.1',
        port: ports[name] ?? server(name).port,
        user,
        database: 'app',
      });
      const pool = createSwitchingMysqlPool({
        defaultReplica: 'db1',
        replicas: Object.fromEntries(names.map((name) => [name, at(name)])),
        pool: { connectionLimit: max },
        ...options,
      });
      return Object.assign(pool, {
        run: async (sql: string) => (await pool.query(sql))[0] as unknown as unknown[],
        port: async () => {
          const [rows] = await pool.query('SELECT @@port AS port');
          return (rows as { port: number }[])[0]!.port;
        },
        hold: async () => {
          const connection = await pool.getConnection();
          return {
            run: async (sql: string) => (await connection.query(sql))[0] as unknown as unknown[],
            release: () => connection.release(),
          };
        },
        onSwitch: (listener: (event: SwitchEvent) => void) => void pool.on('switch', listener),
      }) as unknown as SitePool;
    },
    write: async (sql) => void (await cluster.primary.query(sql)),
    replicated: () => cluster.waitForReplicas(),
    pause: async (name) => void (await server(name).query(`STOP ${applying} SQL_THREAD`)),
    resume: async (name) => void (await server(name).query(mysqlTraits[kind].startReplica)),
    stop: (name) => server(name).kill(),
    kill: (name) => server(name).kill(),
    start: (name) => server(name).start(),
    sessions: async (name) => {
      const text = 'SELECT count(*) AS count FROM information_schema.PROCESSLIST WHERE USER = ?';
      return Number((await server(name).query<{ count: number }>(text, [user]))[0]!.count);
    },
    running: async (name, sql) => {
      const text = 'SELECT count(*) AS count FROM information_schema.PROCESSLIST WHERE USER = ? AND INFO = ?';
      return Number((await server(name).query<{ count: number }>(text, [user, sql]))[0]!.count);
    },
  };
}
