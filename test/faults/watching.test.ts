import { getPriority } from 'node:os';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { seriesValue } from '../integration/promql.ts';
import { eventually } from './support/eventually.ts';
import { type FaultWorld, startFaultWorld } from './support/fault-world.ts';

/** What real agent processes tell of themselves: their logs, and their metrics while something is away. */

const secrets = { database: 'sesame-of-the-database', nats: 'sesame-of-nats' };
let world: FaultWorld;

beforeAll(async () => {
  world = await startFaultWorld();
});
afterAll(() => world?.dispose());
beforeEach(() => world.fresh());

/** Restarts an agent with passwords, which its servers do not ask for, and a log of everything. */
async function restartTalkative(replica: string): Promise<void> {
  await world.killAgent(replica);
  await world.startAgent(replica, (config) => {
    const url = new URL(config.database.url);
    url.password = secrets.database;
    return {
      ...config,
      nats: { ...config.nats, user: 'agent', password: secrets.nats },
      database: { ...config.database, url: url.href },
      log: { level: 'trace' },
    };
  });
}

it('an agent leaves the processors to the database beside it', () => {
  expect(getPriority(world.agent('db1').pid)).toBe(10);
});

describe('the logs of two agents', () => {
  it("tell each its part of a migration, by the migration's id, and no secret", async () => {
    await restartTalkative('db1');
    await restartTalkative('db2');
    const one = await world.announce();
    await world.reached(one, 'ready');
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    const of = (replica: string) =>
      world
        .agent(replica)
        .lines()
        .filter((line) => line['migration'] === one.id);
    await eventually('the last line of the target', async () =>
      of('db2').some((line) => line.msg === 'migration is completed'),
    );
    const parts = { source: of('db1'), target: of('db2') };
    for (const line of [...parts.source, ...parts.target]) expect(line['vm']).toBe(one.vm);
    expect(new Set(parts.source.map((line) => line['replica']))).toEqual(new Set(['db1']));
    expect(new Set(parts.target.map((line) => line['replica']))).toEqual(new Set(['db2']));
    expect(parts.source[0]).toMatchObject({ msg: 'gave the work set', target: 'db2', level: 30 });
    expect(parts.source[0]?.['blocks']).toBeGreaterThan(0);
    const told = parts.target.filter((line) => line.level >= 30).map((line) => line.msg);
    const inOrder = [
      'migration is accepted',
      'migration is profiling',
      'migration is warming',
      'the warming is planned',
      'migration is ready',
      'migration is arrived',
      'what the warming was worth',
      'migration is completed',
    ];
    expect(told.filter((msg) => inOrder.includes(msg))).toEqual(inOrder);
    expect(told).toContain('route switched');

    // Errors quote what they were about: here of a database and a NATS that go away.
    const agent = world.agent('db2');
    for (const proxy of [world.databaseProxy, world.natsProxy]) {
      const before = agent.complaints().length;
      proxy.silence();
      await eventually('complaints', async () => agent.complaints().length > before, { timeoutMs: 40_000 });
      proxy.reset();
    }
    for (const replica of ['db1', 'db2']) {
      const log = world.agent(replica).log();
      expect(log.split('\n').length).toBeGreaterThan(3);
      for (const secret of Object.values(secrets)) expect(log).not.toContain(secret);
    }
  });
});

describe('the metrics of an agent', () => {
  const value = async (name: string, labels = {}) =>
    seriesValue(await world.agent('db2').metrics(), name, labels);

  it('are answered while the database is silent, and say so', async () => {
    await eventually('it to be up', async () => (await value('forewarm_database_up')) === 1);
    world.databaseProxy.silence();
    // Each answer comes while every question to the database hangs.
    await eventually('it to be told', async () => (await value('forewarm_database_up')) === 0);
    expect(await value('forewarm_replay_lag_seconds')).toBeUndefined();
    expect(await value('forewarm_nats_connected')).toBe(1);
    await eventually(
      'sampling to fail',
      async () => ((await value('forewarm_sampling_errors_total', { work: 'sample' })) ?? 0) > 0,
    );
    world.databaseProxy.reset();
    await eventually('it to be back', async () => (await value('forewarm_database_up')) === 1);
  });

  it('tell that NATS is away, and that it came back', async () => {
    const before = (await value('forewarm_nats_reconnects_total')) ?? 0;
    await world.nats.kill();
    await eventually('it to be told', async () => (await value('forewarm_nats_connected')) === 0);
    await world.startNats();
    await eventually('it to be back', async () => (await value('forewarm_nats_connected')) === 1);
    expect(await value('forewarm_nats_reconnects_total')).toBeGreaterThan(before);
  });
});
