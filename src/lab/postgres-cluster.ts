import type pg from 'pg';
import { ForewarmError } from '../lib/errors.ts';
import { freePort } from './free-port.ts';
import { createLogicalReplica } from './logical-replica.ts';
import type { OwnedProcesses } from './owned-processes.ts';
import { type LocatePostgresOptions, locatePostgres, type PostgresBinaries } from './postgres-binaries.ts';
import { defaultDatabase, PostgresServer, type PostgresSettings } from './postgres-server.ts';
import { createStandby } from './postgres-standby.ts';
import { until } from './run.ts';

export interface PostgresClusterOptions extends LocatePostgresOptions {
  readonly owned: OwnedProcesses;
  /** Names of the physical standbys; default none. */
  readonly replicas?: readonly string[];
  /** For every server; units as the server takes them. */
  readonly settings?: PostgresSettings;
  /** On top of `settings`, by name of the server; the primary is `primary`. */
  readonly serverSettings?: Readonly<Record<string, PostgresSettings>>;
  /**
   * Fills the primary's database `app` before the standbys are copied from it. The server runs with little
   * WAL then (`wal_level=minimal`, no autovacuum), so that a big table costs its own size and no more.
   */
  readonly load?: (client: pg.Client) => Promise<void>;
}

/** Starts a primary and its physical standbys, streaming; about 3 s when empty. */
export async function startPostgresCluster(options: PostgresClusterOptions): Promise<PostgresCluster> {
  const binaries = await locatePostgres(options);
  const primary = new PostgresServer({
    owned: options.owned,
    binaries,
    name: 'primary',
    port: await freePort(),
    settings: { ...options.settings, ...options.serverSettings?.['primary'] },
  });
  await primary.initialize();
  if (options.load !== undefined) await primary.configure(loading);
  await primary.start();
  await primary.query(`CREATE DATABASE "${defaultDatabase}"`, [], { database: 'postgres' });
  if (options.load !== undefined) {
    const client = await primary.connect();
    try {
      await options.load(client);
    } finally {
      await client.end();
    }
    const before = { ...options.settings, ...options.serverSettings?.['primary'] };
    await primary.configure(Object.fromEntries(Object.keys(loading).map((name) => [name, before[name]])));
    await primary.restart();
  }
  const cluster = new PostgresCluster({ ...options, binaries, primary });
  for (const name of options.replicas ?? []) await cluster.addReplica(name);
  return cluster;
}

const loading: PostgresSettings = {
  wal_level: 'minimal',
  max_wal_senders: 0,
  autovacuum: false,
  max_wal_size: '256MB',
  maintenance_work_mem: '256MB',
};

/** A primary with its replicas by name. */
export class PostgresCluster {
  readonly primary: PostgresServer;
  readonly binaries: PostgresBinaries;
  readonly #options: PostgresClusterOptions;
  readonly #replicas = new Map<string, PostgresServer>();
  readonly #logical = new Map<string, PostgresServer>();

  constructor(options: PostgresClusterOptions & { binaries: PostgresBinaries; primary: PostgresServer }) {
    this.#options = options;
    this.primary = options.primary;
    this.binaries = options.binaries;
  }

  /** The physical standbys, in the order they were made. */
  get replicas(): PostgresServer[] {
    return [...this.#replicas.values()];
  }

  get servers(): PostgresServer[] {
    return [this.primary, ...this.#replicas.values(), ...this.#logical.values()];
  }

  /** The server of that name, physical or logical; `primary` is the primary. */
  server(name: string): PostgresServer {
    const found = this.servers.find((server) => server.name === name);
    if (found === undefined) throw new ForewarmError('lab_unavailable', `the cluster has no server ${name}`);
    return found;
  }

  /** A further physical standby, copied from the running primary. */
  async addReplica(name: string, settings: PostgresSettings = {}): Promise<PostgresServer> {
    const standby = await this.#newServer(name, settings);
    await createStandby(this.primary, standby);
    this.#replicas.set(name, standby);
    return standby;
  }

  /**
   * A subscriber with tables of its own: another system, where block lists of the primary do not hold.
   * The primary needs `wal_level: 'logical'` among its settings. Resolves when the rows are copied.
   */
  async startLogicalReplica(
    name: string,
    options: { schema: string; publication?: string; settings?: PostgresSettings },
  ): Promise<PostgresServer> {
    const subscriber = await this.#newServer(name, options.settings ?? {});
    await createLogicalReplica(this.primary, subscriber, options);
    this.#logical.set(name, subscriber);
    return subscriber;
  }

  /** A role that may log in and read and write everything in `app`; the standbys have it when this resolves. */
  async addRole(name: string): Promise<void> {
    await this.primary.query(`CREATE ROLE "${name}" LOGIN IN ROLE pg_read_all_data, pg_write_all_data`);
    await this.waitForReplay();
  }

  /** Resolves when every standby that is up has replayed what the primary has written until now. */
  async waitForReplay(timeoutMs = 30_000): Promise<void> {
    const [now] = await this.primary.query<{ lsn: string }>(
      'SELECT pg_current_wal_insert_lsn()::text AS lsn',
    );
    if (now === undefined) return;
    for (const standby of this.replicas.filter((server) => server.pid !== undefined)) {
      const client = await standby.connect();
      try {
        await until(
          `${standby.name} to replay up to ${now.lsn}`,
          async () => {
            const { rows } = await client.query<{ done: boolean }>(
              'SELECT coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false) AS done',
              [now.lsn],
            );
            return rows[0]?.done ? true : undefined;
          },
          { timeoutMs, everyMs: 10, hint: () => standby.log().trim().split('\n').slice(-3).join('\n') },
        );
      } finally {
        await client.end();
      }
    }
  }

  /** Stops every server, replicas first. */
  async stop(): Promise<void> {
    for (const server of this.servers.reverse()) await server.stop('fast');
  }

  async #newServer(name: string, settings: PostgresSettings): Promise<PostgresServer> {
    if (this.servers.some((server) => server.name === name)) {
      throw new ForewarmError('lab_unavailable', `the cluster has a server ${name} already`);
    }
    return new PostgresServer({
      owned: this.#options.owned,
      binaries: this.binaries,
      name,
      port: await freePort(),
      settings: { ...this.#options.settings, ...this.#options.serverSettings?.[name], ...settings },
    });
  }
}
