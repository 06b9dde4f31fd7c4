import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentConfig } from '../../src/config/options.ts';
import type { MigrationRecord } from '../../src/messages/record.ts';
import { recordFromIntent } from '../../src/migration/record.ts';
import { isEnd } from '../../src/migration/transitions.ts';
import { intent, SimulatedWorld } from './simulated-world.ts';
import { testConfig } from './test-config.ts';

/** Migrations while a server or an agent, whose database is simulated, is away. */

let world: SimulatedWorld;

beforeEach(async () => {
  world = await SimulatedWorld.create();
});

afterEach(() => world?.close());

async function publishProfile(): Promise<void> {
  await world.broker.profiles.put('db1.app1', {
    v: 1,
    replica: 'db1',
    vm: 'app1',
    at: new Date().toISOString(),
    halfLifeMs: 60_000,
    relations: [{ database: 'app', schema: 'public', name: 'app1', kind: 'table', weight: 1, share: 1 }],
    unexplained: { weight: 0, share: 0, statements: [] },
  });
}

describe('servers away', () => {
  it("the source's published profile serves while its agent is away", async () => {
    await world.start('db2');
    await publishProfile();
    const one = intent();
    await world.broker.publishIntent(one);
    await world.reached(one.id, 'ready');
    const record = (await world.record(one.id))!;
    expect(record).toMatchObject({ strategy: 'relations', workSet: { origin: 'profile' } });
    expect(record.reason).toContain('profile');
  });

  it("the source's published profile serves in time while its database hangs, and its blocks later", async () => {
    const { engine } = await world.start('db1');
    await world.start('db2');
    await publishProfile();
    const answerAgain = engine.stall();
    const one = intent({ deadline: new Date(Date.now() + 6_000).toISOString() });
    await world.broker.publishIntent(one);
    const record = await world.reached(one.id, 'ready');
    expect(record).toMatchObject({ deadlineMet: true, workSet: { origin: 'profile' } });
    answerAgain();
    await expect
      .poll(async () => (await world.record(one.id))?.workSet?.origin, { timeout: 15_000 })
      .toBe('agent');
  });

  it('a database that restarts in the middle loses its cache, and all is warmed again', async () => {
    await world.start('db1');
    const { engine } = await world.start('db2', { msPerStep: 50 });
    const one = intent();
    await world.broker.publishIntent(one);
    await world.reached(one.id, 'warming');
    engine.up = false;
    await new Promise((resolve) => setTimeout(resolve, 300));
    engine.loseCache();
    engine.up = true;
    const record = await world.reached(one.id, 'ready');
    expect(record.residency).toBeGreaterThanOrEqual(0.95);
    // What the goal leaves out is read after it.
    await expect.poll(async () => (await world.record(one.id))?.residency).toBe(1);
  });

  it('is not ready while replay lags, and says why', async () => {
    await world.start('db1');
    const { engine } = await world.start('db2');
    engine.lagMs = 60_000;
    await expect.poll(async () => (await world.broker.replicas.get('db2'))?.value.lagMs).toBe(60_000);
    const one = intent();
    await world.broker.publishIntent(one);
    await expect
      .poll(async () => (await world.record(one.id))?.reason)
      .toContain('behind by more than its limit');
    expect((await world.record(one.id))?.state).toBe('warming');
    engine.lagMs = 0;
    await world.reached(one.id, 'ready');
  });

  it.each(['warming', 'ready', 'arrived'] as const)(
    'an agent that stops while %s goes on after its restart',
    async (state) => {
      await world.start('db1');
      const account = { account: { windowMs: 1_500 } } as Partial<AgentConfig>;
      const first = await world.start('db2', { msPerStep: state === 'warming' ? 100 : 0, config: account });
      const one = intent();
      await world.broker.publishIntent(one);
      await world.reached(one.id, state === 'arrived' ? 'ready' : state);
      if (state === 'arrived') await world.say(one.id, 'arrived');
      await world.reached(one.id, state);
      await first.stop();
      expect(isEnd((await world.record(one.id))!.state)).toBe(false);
      await world.start('db2', { engine: first.engine, config: account });
      if (state !== 'arrived') {
        await world.reached(one.id, 'ready');
        await world.say(one.id, 'arrived');
      }
      await world.reached(one.id, 'completed');
      // None twice; the arrival ends what is beyond the goal.
      expect(first.engine.blocksRead).toBeLessThanOrEqual(10_000);
      expect(first.engine.blocksRead).toBeGreaterThanOrEqual(10_000 * testConfig.warm.goal);
    },
  );
});

describe("an agent's death between a record and its event", () => {
  const stored = (fields: Partial<MigrationRecord>): MigrationRecord => ({
    ...recordFromIntent(intent(), new Date()),
    ...fields,
  });
  const mark = async ({ id, target }: MigrationRecord) =>
    await world.broker.active.put(`db2.${id}`, { v: 1, migration: id, target, at: new Date().toISOString() });
  const told = async (id: string) => (await world.eventsOf(id)).filter((event) => !event.progress);

  it('is made up for by the next one, and nothing is told twice', async () => {
    await world.start('db1');
    const now = new Date().toISOString();
    const record = stored({ state: 'warming', warmingAt: now });
    const { id, vm, target, acceptedAt } = record;
    await world.broker.records.create(id, record);
    await mark(record);
    await world.broker.events.publish({ v: 1, id, vm, target, state: 'accepted', at: acceptedAt! });
    await world.start('db2');
    await world.reached(id, 'ready');
    expect((await told(id)).map(({ state }) => state)).toEqual([
      ...['accepted', 'profiling', 'warming', 'ready'],
    ]);
  });

  it('is made up for when the migration had ended', async () => {
    const endedAt = new Date(Date.now() - 60_000).toISOString();
    const record = stored({ state: 'aborted', endedAt, reason: 'the test says so' });
    await world.broker.records.create(record.id, record);
    await mark(record);
    await world.start('db2');
    await expect.poll(async () => (await world.broker.active.list()).length).toBe(0);
    const events = await told(record.id);
    expect(events.map(({ state }) => state)).toEqual(['accepted', 'aborted']);
    expect(events[1]).toMatchObject({ at: endedAt, reason: 'the test says so' });
  });
});
