import type pg from 'pg';
import { ForewarmError } from '../lib/errors.ts';
import { containersWanted } from './containers/wanted.ts';
import { createLogicalReplica } from './logical-replica.ts';
import type { OwnedProcesses } from './owned-processes.ts';
import type { LocatePostgresOptions, PostgresBinaries } from './postgres-binaries.ts';
import { postgresInProcesses } from './postgres-processes.ts';
import type { PostgresServer, PostgresSettings } from './postgres-server.ts';
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

/** Where a cluster's servers come from: processes of this machine, or containers. */
export interface PostgresProvider {
  readonly binaries: PostgresBinaries;
  /** A running primary with an empty database `app`, filled by `load`. */
  primary(settings: PostgresSettings, load: PostgresClusterOptions['load']): Promise<PostgresServer>;
  /** A running physical standby, copied from the primary. */
  standby(primary: PostgresServer, name: string, settings: PostgresSettings): Promise<PostgresServer>;
  /** A server that is neither made nor started yet. */
  separate(name: string, settings: PostgresSettings): Promise<PostgresServer>;
}

/** Starts a primary and its physical standbys, streaming; about 3 s when empty. */
export async function startPostgresCluster(options: PostgresClusterOptions): Promise<PostgresCluster> {
  const provider = await providerFor(options);
  const primary = await provider.primary(
    { ...options.settings, ...options.serverSettings?.['primary'] },
    options.load,
  );
  const cluster = new PostgresCluster({ ...options, provider, primary });
  for (const name of options.replicas ?? []) await cluster.addReplica(name);
  return cluster;
}

async function providerFor(options: PostgresClusterOptions): Promise<PostgresProvider> {
  if (!containersWanted()) return postgresInProcesses(options);
  // Loaded late: it needs a development dependency.
  const { postgresInContainers } = await import('./containers/postgres-provider.ts');
  return postgresInContainers(options);
}

/** A primary with its replicas by name. */
export class PostgresCluster {
  readonly primary: PostgresServer;
  readonly #options: PostgresClusterOptions;
  readonly #provider: PostgresProvider;
  readonly #replicas = new Map<string, PostgresServer>();
  readonly #logical = new Map<string, PostgresServer>();

  constructor(options: PostgresClusterOptions & { provider: PostgresProvider; primary: PostgresServer }) {
    this.#options = options;
    this.#provider = options.provider;
    this.primary = options.primary;
  }

  /** What its servers are programs of. */
  get binaries(): PostgresBinaries {
    return this.#provider.binaries;
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
    const standby = await this.#provider.standby(this.primary, name, this.#settingsOf(name, settings));
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
    const subscriber = await this.#provider.separate(name, this.#settingsOf(name, options.settings));
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

  #settingsOf(name: string, settings: PostgresSettings = {}): PostgresSettings {
    if (this.servers.some((server) => server.name === name)) {
      throw new ForewarmError('lab_unavailable', `the cluster has a server ${name} already`);
    }
    return { ...this.#options.settings, ...this.#options.serverSettings?.[name], ...settings };
  }
}
