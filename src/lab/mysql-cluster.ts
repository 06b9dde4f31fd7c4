import type { Connection } from 'mysql2/promise';
import { ForewarmError } from '../lib/errors.ts';
import { freePort } from './free-port.ts';
import { locateMysql, type MysqlBinaries } from './mysql-binaries.ts';
import type { MysqlKind } from './mysql-kinds.ts';
import { createLogicalReplica, createPhysicalCopy, waitUntilApplied } from './mysql-replica.ts';
import { MysqlServer } from './mysql-server.ts';
import { defaultDatabase, type MysqlSettings } from './mysql-settings.ts';
import type { OwnedProcesses } from './owned-processes.ts';

/**
 * How a replica comes to its data: `logical` applies the primary's whole binary log to an empty server,
 * `physical` begins as a copy of the primary's files, page by page.
 */
export type ReplicaOrigin = 'logical' | 'physical';

export interface MysqlClusterOptions {
  readonly owned: OwnedProcesses;
  readonly kind: MysqlKind;
  /** Names of the replicas; default none. */
  readonly replicas?: readonly string[];
  /** Of those replicas; default `logical`. */
  readonly origin?: ReplicaOrigin;
  /** For every server; units as the server takes them. */
  readonly settings?: MysqlSettings;
  /** On top of `settings`, by name of the server; the primary is `primary`. */
  readonly serverSettings?: Readonly<Record<string, MysqlSettings>>;
  /** Fills the primary's database `app` before the replicas are made. */
  readonly load?: (connection: Connection) => Promise<void>;
}

/** Starts a primary and its replicas; resolves when they have applied all that it has. */
export async function startMysqlCluster(options: MysqlClusterOptions): Promise<MysqlCluster> {
  const binaries = await locateMysql(options.kind);
  const primary = new MysqlServer({
    owned: options.owned,
    binaries,
    name: 'primary',
    port: await freePort(),
    settings: { ...options.settings, ...options.serverSettings?.['primary'] },
  });
  await primary.initialize();
  await primary.start();
  if (options.load !== undefined) {
    const connection = await primary.connect();
    try {
      await options.load(connection);
    } finally {
      await connection.end();
    }
  }
  const cluster = new MysqlCluster({ ...options, binaries, primary });
  for (const name of options.replicas ?? []) await cluster.addReplica(name);
  await cluster.waitForReplicas();
  return cluster;
}

/** A primary with its replicas by name. */
export class MysqlCluster {
  readonly kind: MysqlKind;
  readonly primary: MysqlServer;
  readonly binaries: MysqlBinaries;
  readonly #options: MysqlClusterOptions;
  readonly #replicas = new Map<string, MysqlServer>();

  constructor(options: MysqlClusterOptions & { binaries: MysqlBinaries; primary: MysqlServer }) {
    this.#options = options;
    this.kind = options.kind;
    this.primary = options.primary;
    this.binaries = options.binaries;
  }

  /** In the order they were made. */
  get replicas(): MysqlServer[] {
    return [...this.#replicas.values()];
  }

  get servers(): MysqlServer[] {
    return [this.primary, ...this.#replicas.values()];
  }

  /** The server of that name; `primary` is the primary. */
  server(name: string): MysqlServer {
    const found = this.servers.find((server) => server.name === name);
    if (found === undefined) throw new ForewarmError('lab_unavailable', `the cluster has no server ${name}`);
    return found;
  }

  /** A further replica, read-only for ordinary users. A physical one restarts the primary. */
  async addReplica(
    name: string,
    options: { origin?: ReplicaOrigin; settings?: MysqlSettings } = {},
  ): Promise<MysqlServer> {
    if (this.servers.some((server) => server.name === name)) {
      throw new ForewarmError('lab_unavailable', `the cluster has a server ${name} already`);
    }
    const { owned, settings, serverSettings } = this.#options;
    const replica = new MysqlServer({
      owned,
      binaries: this.binaries,
      name,
      port: await freePort(),
      settings: { read_only: true, ...settings, ...serverSettings?.[name], ...options.settings },
    });
    await create[options.origin ?? this.#options.origin ?? 'logical'](this.primary, replica);
    this.#replicas.set(name, replica);
    return replica;
  }

  /**
   * A user from 127.0.0.1 who needs no password and may read and write everything in `app`; the replicas have
   * it when this resolves.
   */
  async addUser(name: string): Promise<void> {
    await this.primary.query(`CREATE USER ?@'127.0.0.1'`, [name]);
    await this.primary.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON \`${defaultDatabase}\`.* TO ?@'127.0.0.1'`,
      [name],
    );
    await this.waitForReplicas();
  }

  /** Resolves when every replica that is up has applied what the primary has written until now. */
  async waitForReplicas(timeoutMs = 60_000): Promise<void> {
    const up = this.replicas.filter((server) => server.pid !== undefined);
    await Promise.all(up.map((replica) => waitUntilApplied(this.primary, replica, timeoutMs)));
  }

  /** Stops every server, replicas first. */
  async stop(): Promise<void> {
    for (const server of this.servers.reverse()) await server.stop();
  }
}

const create = { logical: createLogicalReplica, physical: createPhysicalCopy } as const;
