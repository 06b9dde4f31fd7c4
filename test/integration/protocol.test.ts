import { randomUUID } from 'node:crypto';
import { connect } from 'nats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveReplica } from '../../src/agent/agent.ts';
import { AgentMetrics } from '../../src/agent/agent-metrics.ts';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import type { AgentConfig } from '../../src/config/options.ts';
import { SimulatedEngine } from '../../src/lab/simulated-engine.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { Intent } from '../../src/messages/intent.ts';
import type { MigrationState } from '../../src/messages/states.ts';
import { isEnd } from '../../src/migration/transitions.ts';
import { testServers } from './servers.ts';

/** The protocol on a real NATS server, with agents whose database is simulated. */

let prefix: string;
let broker: Broker;
let agents: { stop: () => Promise<void>; engine: SimulatedEngine }[];

beforeEach(async () => {
  prefix = `t${randomUUID().slice(0, 8)}`;
  agents = [];
  broker = await connectBroker({ url: testServers().nats, prefix, name: 'test', logger: silentLogger });
});

afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.stop()));
  await broker.close();
});

function configFor(replica: string): AgentConfig {
  return {
    replica,
    nats: { url: testServers().nats, prefix, timeoutMs: 5_000 },
    database: {
      engine: 'postgres',
      url: 'postgres://nobody@127.0.0.1:1/none',
      databases: [],
      statementTimeoutMs: 1_000,
    },
    vms: [{ vm: 'app1', user: 'app1' }],
    http: { listen: { host: '127.0.0.1', port: 0 } },
    log: { level: 'silent' },
    observe: { intervalMs: 100, collectMs: 500, halfLifeMs: 60_000, burstMs: 0 },
    warm: {
      goal: 0.95,
      maxPoolFraction: 0.8,
      osCacheFraction: 0.5,
      chunkBytes: 8 * 2 ** 20,
      maxLagMs: 10_000,
      connections: 2,
    },
    hold: { intervalMs: 100, expiryMs: 60_000 },
    account: { windowMs: 100 },
  } as unknown as AgentConfig;
}

async function startAgent(
  replica: string,
  options: { config?: Partial<AgentConfig>; msPerStep?: number; engine?: SimulatedEngine } = {},
) {
  const config = { ...configFor(replica), ...options.config };
  const engine =
    options.engine ??
    new SimulatedEngine({ replica, workSetBlocks: 10_000, msPerStep: options.msPerStep ?? 0 });
  const own = await connectBroker({ url: testServers().nats, prefix, name: replica, logger: silentLogger });
  const controller = new AbortController();
  const metrics = new AgentMetrics(config);
  const parts = { config, broker: own, engine, logger: silentLogger, metrics };
  const done = serveReplica(parts, controller.signal);
  let stopped = false;
  const agent = {
    engine,
    stop: async () => {
      if (stopped) return;
      stopped = true;
      controller.abort();
      await done;
      await own.close();
    },
  };
  agents.push(agent);
  await expect
    .poll(async () => (await broker.replicas.get(replica))?.value.canWarm, { timeout: 5_000 })
    .toBe(true);
  return agent;
}

function intent(fields: Partial<Intent> = {}): Intent {
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

async function stateOf(id: string): Promise<MigrationState | undefined> {
  return (await broker.records.get(id))?.value.state;
}

async function reached(id: string, state: MigrationState, timeout = 10_000): Promise<void> {
  await expect.poll(() => stateOf(id), { timeout, interval: 20 }).toBe(state);
}

async function eventsOf(id: string) {
  const events = [];
  for await (const event of broker.events.of(id, { signal: AbortSignal.timeout(5_000) })) events.push(event);
  return events;
}

const say = (id: string, kind: 'arrived' | 'aborted', target = 'db2') =>
  broker.publishOutcome(target, { v: 1, id, kind, at: new Date().toISOString() });

/** Raw bytes, as a publisher that is not ours may send them. */
async function publishRaw(target: string, data: string | Uint8Array): Promise<void> {
  const nats = await connect({ servers: testServers().nats });
  await nats.jetstream().publish(broker.subjects.intent(target), data);
  await nats.close();
}

describe('a good migration', () => {
  it('goes from the intent to completed, and the route follows the arrival', async () => {
    await startAgent('db1');
    const target = await startAgent('db2');
    const one = intent();
    await broker.publishIntent(one);
    await reached(one.id, 'ready');
    const ready = (await broker.records.get(one.id))!.value;
    expect(ready).toMatchObject({ strategy: 'blocks', deadlineMet: true, residency: 1 });
    expect(ready.workSet).toMatchObject({ relations: 1, blocks: 10_000, bytes: 81_920_000 });
    expect(ready.plan).toMatchObject({ blocks: 10_000, skippedBlocks: 0 });
    expect(await broker.routes.get('app1')).toBeNull();
    await say(one.id, 'arrived');
    await reached(one.id, 'completed');
    expect(await broker.routes.get('app1')).toMatchObject({ replica: 'db2', epoch: 1, migration: one.id });
    expect(target.engine.blocksRead).toBe(10_000);
    const states = (await eventsOf(one.id)).filter((event) => !event.progress).map((event) => event.state);
    expect(states).toEqual(['accepted', 'profiling', 'warming', 'ready', 'arrived', 'completed']);
    await expect.poll(async () => (await broker.active.list()).length).toBe(0);
  });

  it('takes its source from the route when the intent names none', async () => {
    await startAgent('db1');
    await startAgent('db2');
    await broker.routes.set('app1', { replica: 'db1' });
    const { source: _, ...one } = intent();
    await broker.publishIntent(one);
    await reached(one.id, 'ready');
    expect((await broker.records.get(one.id))?.value.source).toBe('db1');
  });

  it('reads again in the hold what the target lost, and nothing twice that is resident', async () => {
    await startAgent('db1');
    const { engine } = await startAgent('db2');
    const one = intent();
    await broker.publishIntent(one);
    await reached(one.id, 'ready');
    expect(engine.blocksRead).toBe(10_000);
    engine.loseCache();
    await expect.poll(() => engine.blocksRead, { timeout: 10_000 }).toBe(20_000);
  });
});

describe('odd orders', () => {
  it('serves the same intent published twice once', async () => {
    await startAgent('db1');
    const { engine } = await startAgent('db2');
    const one = intent();
    expect(await broker.publishIntent(one)).toEqual({ duplicate: false });
    expect(await broker.publishIntent(one)).toEqual({ duplicate: true });
    await publishRaw('db2', JSON.stringify(one));
    await reached(one.id, 'ready');
    expect(engine.blocksRead).toBe(10_000);
  });

  it('takes an arrival before ready, goes on to the end, and is not hurt by a second one', async () => {
    await startAgent('db1');
    const { engine } = await startAgent('db2', { msPerStep: 60 });
    const one = intent();
    await broker.publishIntent(one);
    await reached(one.id, 'warming');
    await say(one.id, 'arrived');
    await reached(one.id, 'arrived');
    await publishRaw(
      'db2',
      JSON.stringify({ v: 1, id: one.id, kind: 'arrived', at: new Date().toISOString() }),
    );
    await reached(one.id, 'completed');
    expect(engine.blocksRead).toBe(10_000);
    expect((await broker.records.get(one.id))?.value.deadlineMet).toBe(false);
    expect(await broker.routes.get('app1')).toMatchObject({ replica: 'db2', epoch: 1 });
  });

  it('takes an arrival that overtook its intent', async () => {
    await startAgent('db1');
    await startAgent('db2');
    const one = intent();
    await say(one.id, 'arrived');
    await broker.publishIntent(one);
    await reached(one.id, 'completed', 15_000);
    expect(await broker.routes.get('app1')).toMatchObject({ replica: 'db2' });
  });

  it.each(['warming', 'ready'] as const)(
    'stops on an abort while %s, and leaves the route',
    async (state) => {
      await startAgent('db1');
      const { engine } = await startAgent('db2', { msPerStep: state === 'warming' ? 100 : 0 });
      const one = intent();
      await broker.publishIntent(one);
      await reached(one.id, state);
      await say(one.id, 'aborted');
      await reached(one.id, 'aborted');
      const read = engine.blocksRead;
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect(engine.blocksRead).toBeLessThanOrEqual(read + 2 * 1024);
      expect(await broker.routes.get('app1')).toBeNull();
    },
  );

  it('says that an abort after the arrival, or after the end, changes nothing', async () => {
    await startAgent('db1');
    await startAgent('db2');
    const one = intent();
    await broker.publishIntent(one);
    await reached(one.id, 'ready');
    await say(one.id, 'arrived');
    await reached(one.id, 'completed');
    await say(one.id, 'aborted');
    await expect
      .poll(async () => (await eventsOf(one.id)).at(-1)?.reason, { timeout: 5_000 })
      .toBe('aborted changes nothing: the migration is completed');
  });

  it('lets a newer intent for the same VM supersede the older one, on whichever target', async () => {
    await startAgent('db1');
    await startAgent('db2');
    await startAgent('db3');
    const older = intent({ issuedAt: new Date(Date.now() - 1_000).toISOString() });
    await broker.publishIntent(older);
    await reached(older.id, 'ready');
    const newer = intent({ target: 'db3' });
    await broker.publishIntent(newer);
    await reached(newer.id, 'ready');
    await reached(older.id, 'aborted');
    expect((await broker.records.get(older.id))?.value.reason).toContain(newer.id);
    await say(older.id, 'arrived');
    await say(newer.id, 'arrived', 'db3');
    await reached(newer.id, 'completed');
    expect(await broker.routes.get('app1')).toMatchObject({ replica: 'db3', migration: newer.id });
  });

  it('expires a VM that never arrives', async () => {
    await startAgent('db1');
    await startAgent('db2', { config: { hold: { intervalMs: 100, expiryMs: 300 } } as Partial<AgentConfig> });
    const one = intent({ deadline: new Date(Date.now() + 500).toISOString() });
    await broker.publishIntent(one);
    await reached(one.id, 'expired');
    expect((await broker.records.get(one.id))?.value.reason).toContain('had not arrived');
  });
});

describe('refusals: a clear event, and the next good intent is served', () => {
  const past = (ms: number) => new Date(Date.now() - ms).toISOString();
  it.each([
    ['source equal to target', { source: 'db2' }, 'rejected', 'same_replica'],
    ['a deadline before its issue', { deadline: past(5_000) }, 'rejected', 'deadline_past'],
    [
      'a deadline long past',
      { deadline: past(600_000), issuedAt: past(700_000) },
      'expired',
      'deadline_past',
    ],
    ['a target that is not this one', { target: 'db9' }, 'rejected', 'message_malformed'],
  ] as const)('%s', async (_, fields, state, code) => {
    await startAgent('db1');
    await startAgent('db2');
    const bad = intent(fields);
    await publishRaw('db2', JSON.stringify(bad));
    await reached(bad.id, state);
    expect((await broker.records.get(bad.id))?.value.error?.code).toBe(code);
    expect((await eventsOf(bad.id)).at(-1)).toMatchObject({ state, code });
    const good = intent();
    await broker.publishIntent(good);
    await reached(good.id, 'ready');
  });

  it.each([
    ['not JSON', 'not json {', 'message_malformed'],
    ['bytes that are not UTF-8', new Uint8Array([0xff, 0xfe, 0x00]), 'message_malformed'],
    ['an empty message', '', 'message_malformed'],
    ['a JSON value that is no object', '[1,2]', 'version_unsupported'],
    ['another version', JSON.stringify({ ...intent(), v: 2 }), 'version_unsupported'],
    ['an unknown kind', JSON.stringify({ ...intent(), kind: 'teleported' }), 'message_malformed'],
    ['SQL in a name', JSON.stringify(intent({ id: 'x', vm: `app1'; DROP TABLE t;--` })), 'message_malformed'],
    ['wildcards and dots in a name', JSON.stringify(intent({ id: 'x', vm: 'app.*.>' })), 'message_malformed'],
    ['quotes in an id', JSON.stringify(intent({ id: `"'` })), 'message_malformed'],
    [
      'nearly a megabyte',
      JSON.stringify({ ...intent({ id: 'y' }), vm: 'a'.repeat(1_000_000) }),
      'message_malformed',
    ],
  ])('%s', async (_, data, code) => {
    await startAgent('db1');
    await startAgent('db2');
    await publishRaw('db2', data);
    const seen = async () => {
      const all = [];
      for await (const event of broker.events.of(undefined, { signal: AbortSignal.timeout(5_000) }))
        all.push(event);
      return all.filter((event) => event.state === 'rejected').map((event) => event.code);
    };
    await expect.poll(seen, { timeout: 5_000 }).toEqual([code]);
    const good = intent();
    await broker.publishIntent(good);
    await reached(good.id, 'ready', 1_000);
  });

  it('a VM that nobody knows', async () => {
    const engine = new SimulatedEngine({ replica: 'db1', workSetBlocks: 10 });
    await startAgent('db1', { engine });
    await startAgent('db2');
    const bad = intent({ vm: 'ghost' });
    await broker.publishIntent(bad);
    await reached(bad.id, 'rejected');
    expect((await broker.records.get(bad.id))?.value.error?.code).toBe('vm_unknown');
  });

  it('no source to be found', async () => {
    await startAgent('db2');
    const { source: _, ...bad } = intent();
    await broker.publishIntent(bad);
    await reached(bad.id, 'rejected');
    expect((await broker.records.get(bad.id))?.value.error?.code).toBe('source_unknown');
  });

  it('an arrival of a migration that nobody announced', async () => {
    await startAgent('db2');
    await say('nobody', 'arrived');
    await expect
      .poll(async () => (await eventsOf('nobody')).at(-1)?.code, { timeout: 20_000 })
      .toBe('migration_unknown');
  });
});

describe('servers away', () => {
  it("the source's published profile serves while its agent is away", async () => {
    await startAgent('db2');
    await broker.profiles.put('db1.app1', {
      v: 1,
      replica: 'db1',
      vm: 'app1',
      at: new Date().toISOString(),
      halfLifeMs: 60_000,
      relations: [{ database: 'app', schema: 'public', name: 'app1', kind: 'table', weight: 1, share: 1 }],
      unexplained: { weight: 0, share: 0, statements: [] },
    });
    const one = intent();
    await broker.publishIntent(one);
    await reached(one.id, 'ready');
    const record = (await broker.records.get(one.id))!.value;
    expect(record).toMatchObject({ strategy: 'relations', workSet: { origin: 'profile' } });
    expect(record.reason).toContain('profile');
  });

  it('a database that restarts in the middle loses its cache, and all is warmed again', async () => {
    await startAgent('db1');
    const { engine } = await startAgent('db2', { msPerStep: 50 });
    const one = intent();
    await broker.publishIntent(one);
    await reached(one.id, 'warming');
    engine.up = false;
    await new Promise((resolve) => setTimeout(resolve, 300));
    engine.loseCache();
    engine.up = true;
    await reached(one.id, 'ready');
    expect((await broker.records.get(one.id))?.value.residency).toBe(1);
  });

  it('is not ready while replay lags, and says why', async () => {
    await startAgent('db1');
    const { engine } = await startAgent('db2');
    engine.lagMs = 60_000;
    await expect
      .poll(async () => (await broker.replicas.get('db2'))?.value.lagMs, { timeout: 5_000 })
      .toBe(60_000);
    const one = intent();
    await broker.publishIntent(one);
    await expect
      .poll(async () => (await broker.records.get(one.id))?.value.reason, { timeout: 5_000 })
      .toContain('behind by more than its limit');
    expect(await stateOf(one.id)).toBe('warming');
    engine.lagMs = 0;
    await reached(one.id, 'ready');
  });

  it.each(['warming', 'ready', 'arrived'] as const)(
    'an agent that stops while %s goes on after its restart',
    async (state) => {
      await startAgent('db1');
      const account = { account: { windowMs: 1_500 } } as Partial<AgentConfig>;
      const first = await startAgent('db2', { msPerStep: state === 'warming' ? 100 : 0, config: account });
      const one = intent();
      await broker.publishIntent(one);
      await reached(one.id, state === 'arrived' ? 'ready' : state);
      if (state === 'arrived') await say(one.id, 'arrived');
      await reached(one.id, state);
      await first.stop();
      expect(isEnd((await stateOf(one.id))!)).toBe(false);
      await startAgent('db2', { engine: first.engine, config: account });
      if (state !== 'arrived') {
        await reached(one.id, 'ready');
        await say(one.id, 'arrived');
      }
      await reached(one.id, 'completed');
      expect(first.engine.blocksRead).toBe(10_000);
    },
  );
});

describe('concurrency', () => {
  it('shares one pool among the VMs that move at once, never beyond its budget', async () => {
    await startAgent('db1');
    const engine = new SimulatedEngine({
      replica: 'db2',
      workSetBlocks: 10_000,
      poolBlocks: 20_000,
    });
    const resume = engine.stall();
    await startAgent('db2', {
      engine,
      config: { vms: [{ vm: 'app1' }, { vm: 'app2' }] } as Partial<AgentConfig>,
    });
    await agents[0]!.stop();
    await startAgent('db1', {
      config: { vms: [1, 2, 3, 4].map((n) => ({ vm: `app${n}` })) } as Partial<AgentConfig>,
    });
    const all = [1, 2, 3, 4].map((n) => intent({ vm: `app${n}` }));
    await Promise.all(all.map((one) => broker.publishIntent(one)));
    // Nothing is taken back of what was read already: they are to share before the first has it all.
    for (const one of all) await reached(one.id, 'warming');
    resume();
    for (const one of all) await reached(one.id, 'ready');
    expect(engine.blocksRead).toBeLessThanOrEqual(16_000);
    const plans = await Promise.all(all.map(async (one) => (await broker.records.get(one.id))!.value));
    for (const { residency } of plans) expect(residency).toBeGreaterThan(0.3);
    expect(plans.some(({ reason }) => reason?.includes('all that can be warmed is'))).toBe(true);
  });
});
