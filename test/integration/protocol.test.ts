import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentConfig } from '../../src/config/options.ts';
import { SimulatedEngine } from '../../src/lab/simulated-engine.ts';
import { intent, SimulatedWorld } from './simulated-world.ts';
import { testConfig } from './test-config.ts';

/** A migration's states, and those of several at once, with agents whose database is simulated. */

let world: SimulatedWorld;

beforeEach(async () => {
  world = await SimulatedWorld.create();
});

afterEach(() => world?.close());

describe('a good migration', () => {
  it('goes from the intent to completed, and the route follows the arrival', async () => {
    await world.start('db1');
    const target = await world.start('db2');
    const one = intent();
    await world.broker.publishIntent(one);
    await world.reached(one.id, 'ready');
    // Beyond the goal, it is told in a moment.
    await expect.poll(async () => (await world.record(one.id))?.residency).toBe(1);
    const ready = (await world.record(one.id))!;
    expect(ready).toMatchObject({ strategy: 'blocks', deadlineMet: true });
    expect(ready.workSet).toMatchObject({ relations: 1, blocks: 10_000, bytes: 81_920_000 });
    expect(ready.plan).toMatchObject({ blocks: 10_000, skippedBlocks: 0 });
    expect(await world.broker.routes.get('app1')).toBeNull();
    await world.say(one.id, 'arrived');
    await world.reached(one.id, 'completed');
    expect(await world.broker.routes.get('app1')).toMatchObject({
      replica: 'db2',
      epoch: 1,
      migration: one.id,
    });
    expect(target.engine.blocksRead).toBe(10_000);
    const states = (await world.eventsOf(one.id))
      .filter((event) => !event.progress)
      .map((event) => event.state);
    expect(states).toEqual(['accepted', 'profiling', 'warming', 'ready', 'arrived', 'completed']);
    await expect.poll(async () => (await world.broker.active.list()).length).toBe(0);
  });

  it('takes its source from the route when the intent names none', async () => {
    await world.start('db1');
    await world.start('db2');
    await world.broker.routes.set('app1', { replica: 'db1' });
    const { source: _, ...one } = intent();
    await world.broker.publishIntent(one);
    await world.reached(one.id, 'ready');
    expect((await world.record(one.id))?.source).toBe('db1');
  });

  it('reads again in the hold what the target lost, and nothing twice that is resident', async () => {
    await world.start('db1');
    const { engine } = await world.start('db2');
    const one = intent();
    await world.broker.publishIntent(one);
    await world.reached(one.id, 'ready');
    await expect.poll(() => engine.blocksRead).toBe(10_000);
    engine.loseCache();
    await expect.poll(() => engine.blocksRead, { timeout: 10_000 }).toBe(20_000);
  });
});

it('is ready by what was planned while the source is still looking for what was touched since', async () => {
  const source = new SimulatedEngine({ replica: 'db1', workSetBlocks: 2_000 });
  const look = source.workSet.bind(source);
  let looks = 0;
  let goOn = () => {};
  const wait = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  source.workSet = async (...of) => {
    looks += 1;
    if (looks > 1) await wait;
    return look(...of);
  };
  await world.start('db1', { engine: source });
  const warm = { ...testConfig.warm, chunkBytes: 10 * 8_192 };
  await world.start('db2', { config: { warm } });
  const { id } = intent();
  await world.broker.publishIntent(intent({ id }));
  await world.reached(id, 'ready');
  expect(looks).toBe(2);
  goOn();
  await world.say(id, 'arrived');
  await world.reached(id, 'completed');
});

describe('an arrival while the hold reads again', () => {
  /** A target with steps of ten blocks that is ready, loses its first blocks, and whose disk hangs at the first read of them. */
  async function losing(blocks: number) {
    await world.start('db1');
    let hang = false;
    let resume: (() => void) | undefined;
    const engine: SimulatedEngine = new SimulatedEngine({
      ...{ replica: 'db2', workSetBlocks: 2_000 },
      onRead: () => {
        if (hang) resume ??= engine.stall();
      },
    });
    const warm = { ...testConfig.warm, chunkBytes: 10 * 8_192 };
    await world.start('db2', { engine, config: { warm } });
    const { id } = intent();
    await world.broker.publishIntent(intent({ id }));
    await world.reached(id, 'ready');
    await expect.poll(() => engine.blocksRead).toBe(2_000);
    hang = true;
    engine.loseCache(blocks);
    await expect.poll(() => resume).toBeDefined();
    return { id, engine, resume: () => resume?.() };
  }

  it('ends what is beyond the goal: it would be in the way of what the VM reads itself', async () => {
    const { id, engine, resume } = await losing(90);
    await world.say(id, 'arrived');
    await world.reached(id, 'arrived');
    resume();
    await world.reached(id, 'completed');
    expect(engine.blocksRead).toBeLessThan(2_090);
  });

  it('goes on with what is missing from the goal', async () => {
    const { id, engine, resume } = await losing(1_000);
    await world.say(id, 'arrived');
    await world.reached(id, 'arrived');
    resume();
    await world.reached(id, 'completed');
    expect(engine.blocksRead).toBe(3_000);
  });
});

describe('odd orders', () => {
  it('serves the same intent published twice once', async () => {
    await world.start('db1');
    const { engine } = await world.start('db2');
    const one = intent();
    expect(await world.broker.publishIntent(one)).toEqual({ duplicate: false });
    expect(await world.broker.publishIntent(one)).toEqual({ duplicate: true });
    await world.publishRaw('db2', JSON.stringify(one));
    await world.reached(one.id, 'ready');
    // Ready is said while the last of the plan is read.
    await expect.poll(() => engine.blocksRead).toBe(10_000);
    await world.say(one.id, 'arrived');
    await world.reached(one.id, 'completed');
    expect(engine.blocksRead).toBe(10_000);
  });

  it('takes an arrival before ready, goes on to the end, and is not hurt by a second one', async () => {
    await world.start('db1');
    const { engine } = await world.start('db2', { msPerStep: 60 });
    const one = intent();
    await world.broker.publishIntent(one);
    await world.reached(one.id, 'warming');
    await world.say(one.id, 'arrived');
    await world.reached(one.id, 'arrived');
    await world.publishRaw(
      'db2',
      JSON.stringify({ v: 1, id: one.id, kind: 'arrived', at: new Date().toISOString() }),
    );
    await world.reached(one.id, 'completed');
    expect(engine.blocksRead).toBe(10_000);
    expect((await world.record(one.id))?.deadlineMet).toBe(false);
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db2', epoch: 1 });
  });

  it('takes an arrival that overtook its intent', async () => {
    await world.start('db1');
    await world.start('db2');
    const one = intent();
    await world.say(one.id, 'arrived');
    await world.broker.publishIntent(one);
    await world.reached(one.id, 'completed', 15_000);
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db2' });
  });

  it.each(['warming', 'ready'] as const)(
    'stops on an abort while %s, and leaves the route',
    async (state) => {
      await world.start('db1');
      const { engine } = await world.start('db2', { msPerStep: state === 'warming' ? 100 : 0 });
      const one = intent();
      await world.broker.publishIntent(one);
      await world.reached(one.id, state);
      await world.say(one.id, 'aborted');
      await world.reached(one.id, 'aborted');
      const read = engine.blocksRead;
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect(engine.blocksRead).toBeLessThanOrEqual(read + 2 * 1024);
      expect(await world.broker.routes.get('app1')).toBeNull();
    },
  );

  it('says that an abort after the arrival, or after the end, changes nothing', async () => {
    await world.start('db1');
    await world.start('db2');
    const one = intent();
    await world.broker.publishIntent(one);
    await world.reached(one.id, 'ready');
    await world.say(one.id, 'arrived');
    await world.reached(one.id, 'completed');
    await world.say(one.id, 'aborted');
    await expect
      .poll(async () => (await world.eventsOf(one.id)).at(-1)?.reason)
      .toBe('aborted changes nothing: the migration is completed');
  });

  it('lets a newer intent for the same VM supersede the older one, on whichever target', async () => {
    await world.start('db1');
    await world.start('db2');
    await world.start('db3');
    const older = intent({ issuedAt: new Date(Date.now() - 1_000).toISOString() });
    await world.broker.publishIntent(older);
    await world.reached(older.id, 'ready');
    const newer = intent({ target: 'db3' });
    await world.broker.publishIntent(newer);
    await world.reached(newer.id, 'ready');
    await world.reached(older.id, 'aborted');
    expect((await world.record(older.id))?.reason).toContain(newer.id);
    await world.say(older.id, 'arrived');
    await world.say(newer.id, 'arrived', 'db3');
    await world.reached(newer.id, 'completed');
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db3', migration: newer.id });
  });

  it('expires a VM that never arrives', async () => {
    await world.start('db1');
    await world.start('db2', {
      config: { hold: { intervalMs: 100, expiryMs: 300 } } as Partial<AgentConfig>,
    });
    const one = intent({ deadline: new Date(Date.now() + 500).toISOString() });
    await world.broker.publishIntent(one);
    await world.reached(one.id, 'expired');
    expect((await world.record(one.id))?.reason).toContain('had not arrived');
  });
});

describe('concurrency', () => {
  it('shares one pool among the VMs that move at once, never beyond its budget', async () => {
    const engine = new SimulatedEngine({
      replica: 'db2',
      workSetBlocks: 10_000,
      poolBlocks: 20_000,
    });
    const resume = engine.stall();
    await world.start('db2', {
      engine,
      config: { vms: [{ vm: 'app1' }, { vm: 'app2' }] } as Partial<AgentConfig>,
    });
    await world.start('db1', {
      config: { vms: [1, 2, 3, 4].map((n) => ({ vm: `app${n}` })) } as Partial<AgentConfig>,
    });
    const all = [1, 2, 3, 4].map((n) => intent({ vm: `app${n}` }));
    await Promise.all(all.map((one) => world.broker.publishIntent(one)));
    // Nothing is taken back of what was read already: they are to share before the first has it all.
    for (const one of all) await world.reached(one.id, 'warming');
    resume();
    for (const one of all) await world.reached(one.id, 'ready');
    expect(engine.blocksRead).toBeLessThanOrEqual(16_000);
    const plans = await Promise.all(all.map(async (one) => (await world.record(one.id))!));
    for (const { residency } of plans) expect(residency).toBeGreaterThan(0.3);
    expect(plans.some(({ reason }) => reason?.includes('what can be warmed is'))).toBe(true);
  });
});
