import { expect, vi } from 'vitest';
import { serveReplica } from '../../src/agent/agent.ts';
import { AgentMetrics } from '../../src/agent/agent-metrics.ts';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import type { AgentConfig } from '../../src/config/options.ts';
import { createEngine } from '../../src/engines/create-engine.ts';
import { freePort } from '../../src/lab/free-port.ts';
import type { MysqlCluster } from '../../src/lab/mysql-cluster.ts';
import type { PostgresCluster } from '../../src/lab/postgres-cluster.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { Intent } from '../../src/messages/intent.ts';
import type { MigrationRecord } from '../../src/messages/record.ts';
import type { MigrationState } from '../../src/messages/states.ts';
import { testConfig } from './test-config.ts';

/** Engine and connection string of a replica's server. */
type DatabaseOf = (replica: string) => Pick<AgentConfig['database'], 'engine' | 'url'>;

interface RealAgentsOptions {
  readonly url: string;
  readonly prefix: string;
  readonly databaseOf: DatabaseOf;
}

export const onPostgres =
  (cluster: PostgresCluster): DatabaseOf =>
  (replica) => ({ engine: 'postgres', url: cluster.server(replica).url({ role: 'forewarm' }) });

export const onMysql =
  (cluster: MysqlCluster): DatabaseOf =>
  (replica) => ({
    engine: cluster.kind,
    url: cluster.server(replica).url({ user: 'forewarm', password: 'secret' }),
  });

/** Real agents in this process, on a real cluster and a real NATS server. */
export class RealAgents {
  readonly broker: Broker;
  readonly #url: string;
  readonly #prefix: string;
  readonly #databaseOf: DatabaseOf;
  readonly #running = new Map<string, () => Promise<void>>();

  private constructor(broker: Broker, options: RealAgentsOptions) {
    this.broker = broker;
    this.#url = options.url;
    this.#prefix = options.prefix;
    this.#databaseOf = options.databaseOf;
  }

  static async connect(options: RealAgentsOptions): Promise<RealAgents> {
    const { url, prefix } = options;
    const broker = await connectBroker({ url, prefix, name: 'test', logger: silentLogger });
    return new RealAgents(broker, options);
  }

  /** Starts the agent of a replica; resolves when it can warm. */
  async start(replica: string, vms: AgentConfig['vms'], changes: Partial<AgentConfig> = {}): Promise<void> {
    const nats = { url: this.#url, prefix: this.#prefix, timeoutMs: 5_000 };
    const config = {
      ...testConfig,
      replica,
      nats,
      database: { databases: ['app'], statementTimeoutMs: 10_000, ...this.#databaseOf(replica) },
      vms,
      observe: { intervalMs: 200, collectMs: 500, halfLifeMs: 600_000, burstMs: 100 },
      hold: { intervalMs: 500, expiryMs: 60_000 },
      account: { windowMs: 1_500 },
      ...changes,
    } as AgentConfig;
    const broker = await connectBroker({ ...nats, name: replica, logger: silentLogger });
    const { engine: kind, ...database } = config.database;
    const metrics = new AgentMetrics(config);
    const { onQuery } = metrics;
    const engine = createEngine(kind, { ...database, replica, vms, logger: silentLogger, onQuery });
    const controller = new AbortController();
    const done = serveReplica({ config, broker, engine, logger: silentLogger, metrics }, controller.signal);
    this.#running.set(replica, async () => {
      controller.abort();
      await done;
      await engine.close();
      await broker.close();
    });
    const canWarm = async () => (await this.broker.replicas.get(replica))?.value.canWarm;
    await vi.waitFor(async () => expect(await canWarm()).toBe(true), { timeout: 10_000, interval: 50 });
  }

  /** Starts the agent of a replica with HTTP on a free port of 127.0.0.1, which it gives. */
  async startListening(replica: string, vms: AgentConfig['vms']): Promise<number> {
    const port = await freePort();
    await this.start(replica, vms, { http: { listen: { host: '127.0.0.1', port } } });
    return port;
  }

  async stop(replica: string): Promise<void> {
    const stop = this.#running.get(replica);
    this.#running.delete(replica);
    await stop?.();
  }

  async close(): Promise<void> {
    for (const replica of [...this.#running.keys()]) await this.stop(replica);
    await this.broker.close();
  }

  /** Waits until a profile of the VM names all of these relations; `read` goes before each look. */
  async profiled(
    replica: string,
    vm: string,
    names: readonly string[],
    read: () => Promise<unknown> = async () => {},
  ): Promise<void> {
    await expect
      .poll(
        async () => {
          await read();
          const profile = (await this.broker.profiles.get(`${replica}.${vm}`))?.value;
          return profile?.relations.map(({ name }) => name).sort() ?? [];
        },
        { timeout: 30_000, interval: 200 },
      )
      .toEqual(expect.arrayContaining([...names]));
  }

  async publish(id: string, fields: Partial<Intent> = {}): Promise<void> {
    await this.broker.publishIntent({
      v: 1,
      kind: 'intent',
      id,
      vm: 'app1',
      source: 'db1',
      target: 'db2',
      deadline: new Date(Date.now() + 30_000).toISOString(),
      issuedAt: new Date().toISOString(),
      ...fields,
    });
  }

  async say(id: string, kind: 'arrived' | 'aborted'): Promise<void> {
    await this.broker.publishOutcome('db2', { v: 1, id, kind, at: new Date().toISOString() });
  }

  /** The record, once it is in that state. */
  async reached(id: string, state: MigrationState, timeout = 30_000): Promise<MigrationRecord> {
    const read = async () => (await this.broker.records.get(id))?.value;
    await expect
      .poll(
        async () => {
          const record = await read();
          return record === undefined || record.state === state
            ? record?.state
            : `${record.state}: ${record.reason}`;
        },
        { timeout, interval: 50 },
      )
      .toBe(state);
    return (await read())!;
  }
}

/** Blocks of a relation that a server's pool holds, by usage count, counted apart from Forewarm's own statements. */
export async function poolOf(server: PostgresServer, relation: string): Promise<Map<number, number>> {
  const rows = await server.query<{ block: string; usage: number }>(
    `SELECT relblocknumber AS block, usagecount AS usage FROM pg_buffercache
      WHERE relfilenode = pg_relation_filenode($1::regclass) AND relforknumber = 0
        AND reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [relation],
  );
  return new Map(rows.map(({ block, usage }) => [Number(block), usage]));
}
