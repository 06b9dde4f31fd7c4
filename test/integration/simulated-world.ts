import { randomUUID } from 'node:crypto';
import { connect } from 'nats';
import { expect, vi } from 'vitest';
import { serveReplica } from '../../src/agent/agent.ts';
import { AgentMetrics } from '../../src/agent/agent-metrics.ts';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import type { AgentConfig } from '../../src/config/options.ts';
import { SimulatedEngine } from '../../src/lab/simulated-engine.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { MigrationEvent } from '../../src/messages/event.ts';
import type { Intent } from '../../src/messages/intent.ts';
import type { MigrationRecord } from '../../src/messages/record.ts';
import type { MigrationState } from '../../src/messages/states.ts';
import { testServers } from './servers.ts';
import { testConfig } from './test-config.ts';

interface SimulatedAgent {
  readonly engine: SimulatedEngine;
  readonly stop: () => Promise<void>;
}

/** The protocol on a real NATS server, with agents whose database is simulated. */
export class SimulatedWorld {
  readonly broker: Broker;
  readonly #prefix: string;
  readonly #agents: SimulatedAgent[] = [];

  private constructor(broker: Broker, prefix: string) {
    this.broker = broker;
    this.#prefix = prefix;
  }

  /** A world of its own on the servers that all tests share. */
  static async create(): Promise<SimulatedWorld> {
    const prefix = `t${randomUUID().slice(0, 8)}`;
    return new SimulatedWorld(await connectTo(prefix, 'test'), prefix);
  }

  async close(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    await this.broker.close();
  }

  /** Starts the agent of a replica; resolves when it can warm. */
  async start(
    replica: string,
    options: { config?: Partial<AgentConfig>; msPerStep?: number; engine?: SimulatedEngine } = {},
  ): Promise<SimulatedAgent> {
    const { msPerStep = 0 } = options;
    const engine = options.engine ?? new SimulatedEngine({ replica, workSetBlocks: 10_000, msPerStep });
    const config = { ...configOf(replica, this.#prefix), ...options.config };
    const broker = await connectTo(this.#prefix, replica);
    const controller = new AbortController();
    const metrics = new AgentMetrics(config);
    const parts = { config, broker, engine, logger: silentLogger, metrics };
    const done = serveReplica(parts, controller.signal);
    let stopped: Promise<void> | undefined;
    const stop = async () => {
      controller.abort();
      await done;
      await broker.close();
    };
    const agent: SimulatedAgent = {
      engine,
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
    };
    this.#agents.push(agent);
    const canWarm = async () => (await this.broker.replicas.get(replica))?.value.canWarm;
    // Also before the first test, where nothing can be polled.
    await vi.waitFor(async () => expect(await canWarm()).toBe(true), { timeout: 15_000, interval: 50 });
    return agent;
  }

  async record(id: string): Promise<MigrationRecord | undefined> {
    return (await this.broker.records.get(id))?.value;
  }

  async reached(id: string, state: MigrationState, timeout = 20_000): Promise<MigrationRecord> {
    await expect.poll(async () => (await this.record(id))?.state, { timeout, interval: 20 }).toBe(state);
    return (await this.record(id))!;
  }

  /** Events of a migration, or of all. */
  async eventsOf(id?: string): Promise<MigrationEvent[]> {
    const events: MigrationEvent[] = [];
    const signal = AbortSignal.timeout(5_000);
    for await (const event of this.broker.events.of(id, { signal })) events.push(event);
    return events;
  }

  async say(id: string, kind: 'arrived' | 'aborted', target = 'db2'): Promise<void> {
    await this.broker.publishOutcome(target, { v: 1, id, kind, at: new Date().toISOString() });
  }

  /** Raw bytes, as a publisher that is not ours may send them. */
  async publishRaw(target: string, data: string | Uint8Array): Promise<void> {
    const nats = await connect({ servers: testServers().nats });
    await nats.jetstream().publish(this.broker.subjects.intent(target), data);
    await nats.close();
  }
}

export function intent(fields: Partial<Intent> = {}): Intent {
  return {
    v: 1,
    kind: 'intent',
    id: `m-${randomUUID().slice(0, 8)}`,
    vm: 'app1',
    source: 'db1',
    target: 'db2',
    deadline: new Date(Date.now() + 20_000).toISOString(),
    issuedAt: new Date().toISOString(),
    ...fields,
  };
}

const connectTo = (prefix: string, name: string) =>
  connectBroker({ url: testServers().nats, prefix, name, logger: silentLogger });

function configOf(replica: string, prefix: string): AgentConfig {
  return {
    ...testConfig,
    replica,
    nats: { url: testServers().nats, prefix, timeoutMs: 5_000 },
    database: {
      engine: 'postgres',
      url: 'postgres://nobody@127.0.0.1:1/none',
      databases: [],
      statementTimeoutMs: 1_000,
    },
    vms: [{ vm: 'app1', user: 'app1' }],
    observe: { intervalMs: 100, collectMs: 500, halfLifeMs: 60_000, burstMs: 0 },
    warm: { ...testConfig.warm, chunkBytes: 8 * 2 ** 20 },
    hold: { intervalMs: 100, expiryMs: 60_000 },
    account: { windowMs: 100 },
  } as unknown as AgentConfig;
}
