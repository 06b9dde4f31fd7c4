import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type NatsConnection } from 'nats';
import { expect } from 'vitest';
import { type Broker, connectBroker } from '../../../src/broker/broker.ts';
import { fillAppTables } from '../../../src/lab/app-data.ts';
import { freePort } from '../../../src/lab/free-port.ts';
import { type NatsServer, startNats } from '../../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../../src/lab/owned-processes.ts';
import { type PostgresCluster, startPostgresCluster } from '../../../src/lab/postgres-cluster.ts';
import type { PostgresServer } from '../../../src/lab/postgres-server.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { Intent } from '../../../src/messages/intent.ts';
import type { MigrationRecord } from '../../../src/messages/record.ts';
import type { MigrationState } from '../../../src/messages/states.ts';
import { isEnd } from '../../../src/migration/transitions.ts';
import { AppLoad, appRowCount, appTable, appVm, isHot } from './app-reads.ts';
import { eventually } from './eventually.ts';
import { AgentProcess } from './forewarm-process.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** In the text of every statement that reads blocks into the pool, and in no other. */
export const warmMarker = 'pg_prewarm($1::oid::regclass';

const setup = readFileSync(new URL('../../../sql/postgres/setup.sql', import.meta.url), 'utf8');

/** What a statement reads of the catalogs after a restart is counted with its blocks. */
const catalogBlocks = 40;

/** The steps of a migration that nothing hinders. */
export const steps = ['accepted', 'profiling', 'warming', 'ready', 'arrived', 'completed'] as const;

export async function startFaultWorld(): Promise<FaultWorld> {
  const owned = new OwnedProcesses({ handleSignals: false });
  try {
    const nats = await startNats({ owned });
    const cluster = await startPostgresCluster({
      owned,
      replicas: ['db1', 'db2'],
      settings: { shared_buffers: '64MB', autovacuum: false },
      load: async (client) => {
        await fillAppTables(client, [{ name: appTable, rowCount: appRowCount }]);
        await client.query(setup);
        await client.query(`CREATE ROLE ${appVm} LOGIN IN ROLE pg_read_all_data`);
      },
    });
    const broker = await connectBroker({ url: nats.url, name: 'faults', logger: silentLogger });
    const proxies = {
      databaseProxy: await TcpProxy.start(cluster.server('db2').port),
      natsProxy: await TcpProxy.start(nats.port),
    };
    const connection = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
    const world = new FaultWorld({ owned, nats, cluster, broker, ...proxies }, connection);
    await world.begin();
    return world;
  } catch (error) {
    await owned.dispose();
    throw error;
  }
}

/**
 * A primary, two standbys with an agent each, NATS, and an application that reads from `db1`. The agent of
 * `db2`, the target, reaches its database and NATS through proxies that can be broken.
 */
export class FaultWorld {
  readonly owned: OwnedProcesses;
  readonly nats: NatsServer;
  readonly cluster: PostgresCluster;
  readonly broker: Broker;
  readonly databaseProxy: TcpProxy;
  readonly natsProxy: TcpProxy;
  readonly load: AppLoad;
  readonly #nats: NatsConnection;
  readonly #agents = new Map<string, AgentProcess>();
  readonly #migrations: Intent[] = [];

  constructor(
    parts: Pick<FaultWorld, 'owned' | 'nats' | 'cluster' | 'broker' | 'databaseProxy' | 'natsProxy'>,
    connection: NatsConnection,
  ) {
    this.#nats = connection;
    this.owned = parts.owned;
    this.nats = parts.nats;
    this.cluster = parts.cluster;
    this.broker = parts.broker;
    this.databaseProxy = parts.databaseProxy;
    this.natsProxy = parts.natsProxy;
    this.load = new AppLoad(this.source);
  }

  get source(): PostgresServer {
    return this.cluster.server('db1');
  }

  get target(): PostgresServer {
    return this.cluster.server('db2');
  }

  /** Both agents, and a profile of the application, which then pauses: its work set stays as it is. */
  async begin(): Promise<void> {
    await Promise.all([this.startAgent('db1'), this.startAgent('db2')]);
    this.load.start();
    await this.profiled(new Date(0));
    await this.load.stop();
  }

  async dispose(): Promise<void> {
    await this.load.stop();
    await this.broker.close();
    await this.#nats.close();
    // The agents before the servers that they would wait for.
    await Promise.all([...this.#agents.values()].map((agent) => agent.kill()));
    await this.owned.dispose();
    await Promise.all([this.databaseProxy.close(), this.natsProxy.close()]);
  }

  /** Waits for a profile of the application, table and key, taken after that moment. */
  async profiled(after: Date): Promise<void> {
    await eventually('the profile of the application', async () => {
      const profile = (await this.broker.profiles.get(`db1.${appVm}`))?.value;
      if (profile === undefined || Date.parse(profile.at) <= after.getTime()) return undefined;
      const names = new Set(profile.relations.map((relation) => relation.name));
      return names.has(appTable) && names.has(`${appTable}_pkey`);
    });
  }

  agent(replica: string): AgentProcess {
    const agent = this.#agents.get(replica);
    if (agent === undefined) throw new Error(`no agent of ${replica} was started`);
    return agent;
  }

  config(replica: string, options: { readonly throughProxies?: boolean } = {}) {
    const proxied = options.throughProxies ?? replica === 'db2';
    const url = new URL(this.cluster.server(replica).url({ role: 'forewarm' }));
    if (proxied) url.port = String(this.databaseProxy.port);
    return {
      replica,
      nats: { url: `nats://127.0.0.1:${proxied ? this.natsProxy.port : this.nats.port}`, timeout: '2s' },
      database: { url: url.href, databases: ['app'], statementTimeout: '2s' },
      vms: [{ vm: appVm, user: appVm }],
      observe: { interval: '100ms', collect: '500ms', burst: '50ms' },
      warm: { chunk: '1MiB', connections: 1 },
      hold: { interval: '200ms', expiry: '5m' },
      account: { window: '1s' },
    };
  }

  /** Starts NATS again; resolves when it serves this test, which tells nothing of the agents. */
  async startNats(): Promise<void> {
    await this.nats.start();
    await eventually('NATS to be back', async () => {
      const asked = this.broker.replicas.list();
      return await asked.then(
        () => true,
        () => false,
      );
    });
  }

  /** As a crash of an agent; resolves when NATS knows that it is gone. */
  async killAgent(replica: string): Promise<void> {
    await this.agent(replica).kill();
    if (replica === 'db2')
      await eventually('the proxy to be left', async () => this.natsProxy.openCount === 0);
    // Until the server has seen the end of the connection, it hands messages to the dead.
    await this.broker.roundTripMs();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  /** Starts an agent and waits until its heartbeat says that it can warm. */
  async startAgent(
    replica: string,
    change: (config: ReturnType<FaultWorld['config']>) => object = (config) => config,
  ): Promise<AgentProcess> {
    const before = (await this.broker.replicas.get(replica))?.value['instance'];
    const agent = await this.spawnAgent(replica, change);
    const beats = async () => {
      const beat = (await this.broker.replicas.get(replica))?.value;
      return beat?.canWarm === true && beat['instance'] !== before;
    };
    await eventually(`the heartbeat of ${replica}`, beats, { hint: () => agent.complaints().join('\n') });
    return agent;
  }

  /** Starts an agent without waiting for it. */
  async spawnAgent(
    replica: string,
    change: (config: ReturnType<FaultWorld['config']>) => object = (config) => config,
  ): Promise<AgentProcess> {
    const listen = `127.0.0.1:${await freePort()}`;
    const config = { ...change(this.config(replica)), http: { listen }, replica };
    const agent = await AgentProcess.start(this.owned, config);
    this.#agents.set(replica, agent);
    return agent;
  }

  /** Before a test: both agents run, no migration is under way, the route is the source, the target cold. */
  async fresh(): Promise<void> {
    this.databaseProxy.reset();
    this.natsProxy.reset();
    if (this.nats.pid === undefined) await this.startNats();
    await Promise.all(this.cluster.servers.map((server) => server.start()));
    for (const replica of ['db1', 'db2']) {
      const agent = this.#agents.get(replica);
      agent?.thaw();
      if (agent?.running !== true) await this.startAgent(replica);
      await eventually(`the heartbeat of ${replica}`, async () => {
        return (await this.broker.replicas.get(replica))?.value.canWarm === true;
      });
    }
    for (const intent of this.#migrations.splice(0)) {
      const record = await this.record(intent.id);
      if (record === undefined || isEnd(record.state)) continue;
      await this.say(intent, 'aborted');
      await eventually('the end of the last test', async () => isEnd((await this.record(intent.id))!.state));
    }
    await this.broker.routes.set(appVm, { replica: 'db1' });
    await this.chill();
    await this.target.query('SELECT pg_stat_statements_reset()');
  }

  /** Throws the application's blocks out of the target's pool. */
  async chill(): Promise<void> {
    await this.target.query(
      `SELECT pg_buffercache_evict_relation('${appTable}'), pg_buffercache_evict_relation('${appTable}_pkey')`,
    );
  }

  intent(fields: Partial<Intent> = {}): Intent {
    const intent: Intent = {
      v: 1,
      kind: 'intent',
      id: `m-${randomUUID().slice(0, 8)}`,
      vm: appVm,
      source: 'db1',
      target: 'db2',
      deadline: new Date(Date.now() + 60_000).toISOString(),
      issuedAt: new Date().toISOString(),
      ...fields,
    };
    this.#migrations.push(intent);
    return intent;
  }

  async announce(fields: Partial<Intent> = {}): Promise<Intent> {
    const intent = this.intent(fields);
    await this.broker.publishIntent(intent);
    return intent;
  }

  async say(intent: Intent, kind: 'arrived' | 'aborted'): Promise<void> {
    await this.broker.publishOutcome(intent.target, {
      v: 1,
      id: intent.id,
      kind,
      at: new Date().toISOString(),
    });
  }

  async record(id: string): Promise<MigrationRecord | undefined> {
    return (await this.broker.records.get(id))?.value;
  }

  /** Waits for a state in the record. */
  async reached(
    intent: Pick<Intent, 'id' | 'target'>,
    state: MigrationState,
    timeoutMs = 20_000,
  ): Promise<MigrationRecord> {
    return await this.recorded(intent, (record) => record.state === state, {
      what: `state ${state}`,
      timeoutMs,
    });
  }

  /** Waits until the record is as wanted. */
  async recorded(
    intent: Pick<Intent, 'id' | 'target'>,
    wanted: (record: MigrationRecord) => boolean,
    { what = 'the record', timeoutMs = 20_000 } = {},
  ): Promise<MigrationRecord> {
    let last: MigrationRecord | undefined;
    const look = async () => {
      last = await this.record(intent.id);
      return last !== undefined && wanted(last) ? last : undefined;
    };
    const hint = () =>
      `${JSON.stringify(last)}\n${this.agent(intent.target).complaints().slice(-10).join('\n')}`;
    return await eventually(`${what} of ${intent.id}`, look, { timeoutMs, hint });
  }

  /** Stops the target's warming before its next statement, after as many more as `passes`. */
  holdWarming(passes: number): void {
    this.databaseProxy.hold(warmMarker, passes);
  }

  /** Resolves when the warming waits at the gate. */
  async warmingStands(): Promise<void> {
    await eventually('the warming to stand still', async () => this.databaseProxy.heldCount > 0);
  }

  /** Lets a warming that is held go on by single statements; it stands when the target holds as many blocks. */
  async warmingReaches(blocks: number): Promise<void> {
    await this.warmingStands();
    while ((await this.residentBlocks()) < blocks) {
      this.databaseProxy.step();
      await this.warmingStands();
    }
  }

  /** Messages that were handed to a replica's agent, and not acknowledged yet. */
  async unacknowledged(replica: string): Promise<number> {
    const manager = await this.#nats.jetstreamManager();
    const { stream, consumer } = this.broker.subjects;
    return (await manager.consumers.info(stream, consumer(replica))).num_ack_pending;
  }

  /** Each step of a migration in the order of its events; without progress and remarks. */
  async steps(intent: Intent): Promise<MigrationState[]> {
    const states: MigrationState[] = [];
    for await (const event of this.broker.events.of(intent.id, { signal: AbortSignal.timeout(5_000) })) {
      if (event.progress === undefined && states.at(-1) !== event.state) states.push(event.state);
    }
    return states;
  }

  async stepped(intent: Intent, states: readonly MigrationState[]): Promise<void> {
    await expect.poll(() => this.steps(intent), { timeout: 10_000 }).toEqual(states);
  }

  /** Blocks that warming has read into the target's pool from outside it since `fresh`. */
  async blocksRead(): Promise<number> {
    const [row] = await this.target.query<{ blocks: number }>(
      `SELECT COALESCE(sum(s.shared_blks_read), 0)::float8 AS blocks
         FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
        WHERE r.rolname = 'forewarm' AND position('${warmMarker}' IN s.query) > 0`,
    );
    return row!.blocks;
  }

  /** Blocks of the application's table and key that the target's pool holds now. */
  async residentBlocks(): Promise<number> {
    const [row] = await this.target.query<{ blocks: number }>(
      `SELECT count(*)::float8 AS blocks FROM pg_buffercache b
        WHERE b.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND b.relfilenode IN (pg_relation_filenode('${appTable}'), pg_relation_filenode('${appTable}_pkey'))`,
    );
    return row!.blocks;
  }

  /** Blocks of the table that the application reads, and of them those that the target's pool holds now. */
  async hotBlocks(): Promise<{ readonly all: number; readonly resident: number }> {
    const [row] = await this.target.query<{ all: number; resident: number }>(
      `SELECT (SELECT count(*)::float8 FROM generate_series(0, pg_relation_size('${appTable}') / 8192 - 1) g
                WHERE ${isHot('g')}) AS all,
              (SELECT count(*)::float8 FROM pg_buffercache b
                WHERE b.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND b.relfilenode = pg_relation_filenode('${appTable}') AND b.relforknumber = 0
                  AND ${isHot('b.relblocknumber')}) AS resident`,
    );
    return row!;
  }

  /** Waits until all that the application reads of its table is in the target's pool. */
  async hotAgain(): Promise<void> {
    await eventually('the work set to be resident', async () => {
      const { all, resident } = await this.hotBlocks();
      return resident === all;
    });
  }

  /** The work set is in the target's pool, and no block of it was read from the disk more than once. */
  async warmedOnce(readBefore = 0): Promise<void> {
    // In this order: what is read in between makes the second figure the greater one.
    const read = (await this.blocksRead()) - readBefore;
    const resident = await this.residentBlocks();
    const hot = await this.hotBlocks();
    expect(hot.all).toBeGreaterThan(1_500);
    expect(hot.resident).toBeGreaterThanOrEqual(0.95 * hot.all);
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThanOrEqual(resident + catalogBlocks);
  }
}
