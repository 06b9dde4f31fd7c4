import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pairKey } from '../../src/broker/bucket.ts';
import { recordFromIntent } from '../../src/migration/record.ts';
import { AppLoad } from './support/app-reads.ts';
import { eventually } from './support/eventually.ts';
import { type FaultWorld, startFaultWorld, steps } from './support/fault-world.ts';

let world: FaultWorld;

beforeAll(async () => {
  world = await startFaultWorld();
});
afterAll(() => world?.dispose());
beforeEach(() => world.fresh());

const restarted = async () => {
  await world.killAgent('db2');
  await world.startAgent('db2');
};

describe('nothing is broken', () => {
  it('a migration goes from its intent to its end, and each block is read once', async () => {
    const one = await world.announce();
    const ready = await world.reached(one, 'ready');
    expect(ready).toMatchObject({ strategy: 'blocks', deadlineMet: true, workSet: { origin: 'agent' } });
    await world.warmedOnce();
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db2', migration: one.id });
  });
});

describe("the target's agent is killed and started again", () => {
  it('before it had marked the migration active', async () => {
    await world.killAgent('db2');
    const one = world.intent();
    await world.broker.records.create(one.id, recordFromIntent(one, new Date()));
    await world.broker.publishIntent(one);
    await world.startAgent('db2');
    await world.reached(one, 'ready');
    await world.warmedOnce();
    expect(await world.broker.active.get(pairKey('db2', one.id))).not.toBeNull();
  });

  it('while the intent waits for it', async () => {
    await world.killAgent('db2');
    const one = await world.announce();
    await world.startAgent('db2');
    await world.reached(one, 'ready');
    await world.warmedOnce();
  });

  it('with the intent in its hands: NATS delivers it again', async () => {
    world.agent('db2').freeze();
    const one = await world.announce();
    await eventually('the delivery', async () => (await world.unacknowledged('db2')) > 0);
    await world.killAgent('db2');
    await world.startAgent('db2');
    await world.reached(one, 'ready');
    await world.warmedOnce();
  });

  it('while profiling', async () => {
    world.agent('db1').freeze();
    const one = await world.announce();
    await world.reached(one, 'profiling');
    await world.killAgent('db2');
    world.agent('db1').thaw();
    await world.startAgent('db2');
    const ready = await world.reached(one, 'ready');
    expect(ready.workSet?.origin).toBe('agent');
    await world.warmedOnce();
    await world.stepped(one, ['accepted', 'profiling', 'warming', 'ready']);
  });

  it('while warming: what is resident is not read again', async () => {
    world.holdWarming(0);
    const one = await world.announce();
    await world.reached(one, 'warming');
    await world.warmingReaches(100);
    await world.killAgent('db2');
    const before = await world.residentBlocks();
    world.databaseProxy.release();
    await world.startAgent('db2');
    const ready = await world.reached(one, 'ready');
    expect(before).toBeLessThan(ready.workSet!.blocks);
    await world.warmedOnce();
    expect(ready.warmed!.blocks).toBeLessThanOrEqual(ready.workSet!.blocks - before + 64);
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
  });

  it('while ready: it holds on, and reads again what was lost meanwhile', async () => {
    const one = await world.announce();
    const ready = await world.reached(one, 'ready');
    await restarted();
    await world.chill();
    const readBefore = await world.blocksRead();
    await world.hotAgain();
    await world.warmedOnce(readBefore);
    const held = (await world.record(one.id))!;
    expect(held).toMatchObject({ state: 'ready', readyAt: ready.readyAt!, deadlineMet: true });
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
  });

  it('after an early arrival: it brings the plan to its end', async () => {
    world.holdWarming(4);
    const one = await world.announce();
    await world.reached(one, 'warming');
    await world.warmingStands();
    await world.say(one, 'arrived');
    await world.reached(one, 'arrived');
    await world.killAgent('db2');
    world.databaseProxy.release();
    await world.startAgent('db2');
    const completed = await world.reached(one, 'completed');
    await world.warmedOnce();
    expect(completed).toMatchObject({ deadlineMet: false, afterArrival: { blocksRead: 0 } });
    await world.stepped(one, ['accepted', 'profiling', 'warming', 'arrived', 'completed']);
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db2', migration: one.id });
  });

  it('and the arrival, or the abort, is said while it is dead', async () => {
    const one = await world.announce();
    const ready = await world.reached(one, 'ready');
    await world.killAgent('db2');
    await world.say(one, 'arrived');
    await world.startAgent('db2');
    await world.reached(one, 'completed');
    await world.warmedOnce();
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db2', migration: one.id });

    await world.fresh();
    world.holdWarming(2);
    const other = await world.announce();
    await world.reached(other, 'warming');
    await world.warmingStands();
    await world.killAgent('db2');
    await world.say(other, 'aborted');
    await world.startAgent('db2');
    await world.reached(other, 'aborted');
    world.databaseProxy.release();
    await world.stepped(other, ['accepted', 'profiling', 'warming', 'aborted']);
    await eventually(
      'the mark to go',
      async () => (await world.broker.active.get(pairKey('db2', other.id))) === null,
    );
    expect(await world.residentBlocks()).toBeLessThan(ready.workSet!.blocks);
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db1' });
  });
});

describe("the source's agent is killed", () => {
  it('before the intent: its published profile serves, and the record says why', async () => {
    await world.killAgent('db1');
    const one = await world.announce();
    const ready = await world.reached(one, 'ready');
    expect(ready).toMatchObject({ strategy: 'relations', workSet: { origin: 'profile' } });
    expect(ready.reason).toMatch(/no agent answers for replica db1; its profile of .* serves/);
    expect(await world.residentBlocks()).toBeGreaterThan(1_000);
    expect(await world.blocksRead()).toBeLessThanOrEqual(await world.residentBlocks());
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
  });

  it('while it is asked: its profile serves, and its blocks when it is back', async () => {
    world.agent('db1').freeze();
    const one = await world.announce();
    await world.reached(one, 'profiling');
    await world.killAgent('db1');
    const ready = await world.reached(one, 'ready');
    expect(ready.workSet?.origin).toBe('profile');
    await world.startAgent('db1');
    const follows = await world.recorded(one, (record) => record.workSet?.origin === 'agent');
    expect(follows.strategy).toBe('blocks');
    await world.hotAgain();
  });

  it('during the hold: its last work set serves', async () => {
    const one = await world.announce();
    const ready = await world.reached(one, 'ready');
    await world.killAgent('db1');
    await world.chill();
    const readBefore = await world.blocksRead();
    await world.hotAgain();
    await world.warmedOnce(readBefore);
    const held = (await world.record(one.id))!;
    expect(held).toMatchObject({ state: 'ready', strategy: 'blocks', workSet: { origin: 'agent' } });
    expect(held.workSet!.blocks).toBe(ready.workSet!.blocks);
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
  });

  it('and started again: its profile goes on from where it was published', async () => {
    const before = (await world.broker.profiles.get('db1.app1'))!.value;
    await world.killAgent('db1');
    await world.startAgent('db1');
    const load = new AppLoad(world.source).start();
    await world.profiled(new Date(before.at));
    await load.stop();
    const after = (await world.broker.profiles.get('db1.app1'))!.value;
    const weight = (profile: typeof before) => profile.relations.reduce((sum, one) => sum + one.weight, 0);
    expect(weight(after)).toBeGreaterThan(0.5 * weight(before));
  });
});
