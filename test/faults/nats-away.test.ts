import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AppLoad } from './support/app-reads.ts';
import { eventually } from './support/eventually.ts';
import { type FaultWorld, startFaultWorld, steps } from './support/fault-world.ts';

let world: FaultWorld;

beforeAll(async () => {
  world = await startFaultWorld();
});
afterAll(() => world?.dispose());
beforeEach(() => world.fresh());

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('NATS is killed and away', () => {
  it('for 20 s in the middle of the warming: both agents go on, and catch up', async () => {
    const load = new AppLoad(world.source).start();
    world.holdWarming(3);
    const one = await world.announce();
    await world.reached(one, 'warming');
    await world.warmingStands();
    await world.nats.kill();
    const back = pause(20_000);
    world.databaseProxy.release();
    await world.hotAgain();
    await back;
    const beforeReturn = new Date();
    await world.startNats();
    const ready = await world.reached(one, 'ready');
    // It was ready while nobody could be told.
    expect(Date.parse(ready.readyAt!)).toBeLessThan(beforeReturn.getTime());
    expect(ready.warmed!.blocks).toBeGreaterThan(1_000);
    await world.warmedOnce();
    await world.profiled(beforeReturn);
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
    await load.stop();
  });

  it('while the source is asked', async () => {
    world.agent('db1').freeze();
    const one = await world.announce();
    await world.reached(one, 'profiling');
    await world.nats.kill();
    world.agent('db1').thaw();
    await pause(3_000);
    await world.startNats();
    await world.reached(one, 'ready');
    await world.warmedOnce();
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
  });

  it('during the hold: what is lost meanwhile is read again by the last work set', async () => {
    const one = await world.announce();
    await world.reached(one, 'ready');
    await world.nats.kill();
    await world.chill();
    const readBefore = await world.blocksRead();
    await world.hotAgain();
    await world.startNats();
    await world.warmedOnce(readBefore);
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
  });

  it('after the arrival: what it was worth is told when NATS is back', async () => {
    const one = await world.announce();
    await world.reached(one, 'ready');
    await world.say(one, 'arrived');
    await world.reached(one, 'arrived');
    await world.nats.kill();
    await pause(3_000);
    await world.startNats();
    const completed = await world.reached(one, 'completed');
    expect(completed.afterArrival).toMatchObject({ blocksRead: 0 });
    await world.stepped(one, steps);
    await eventually('the mark to go', async () => (await world.broker.active.list()).length === 0);
  });

  it('when the agent starts: it waits', async () => {
    await world.killAgent('db2');
    const one = await world.announce();
    await world.nats.kill();
    const agent = await world.spawnAgent('db2');
    await eventually('the agent to complain', async () =>
      agent.complaints().some((line) => line.includes('waiting for NATS')),
    );
    await world.startNats();
    await world.reached(one, 'ready');
    await world.warmedOnce();
    expect(agent.running).toBe(true);
  });
});
