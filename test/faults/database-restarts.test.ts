import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fetchWorkSetBytes } from '../../src/broker/transfer.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { AppLoad } from './support/app-reads.ts';
import { eventually } from './support/eventually.ts';
import { type FaultWorld, startFaultWorld, steps } from './support/fault-world.ts';

let world: FaultWorld;

beforeAll(async () => {
  world = await startFaultWorld();
});
afterAll(() => world?.dispose());
beforeEach(() => world.fresh());

const ways: readonly (readonly [string, (server: PostgresServer) => Promise<void>])[] = [
  ['in order', (server) => server.stop('fast')],
  ['at once', (server) => server.stop('immediate')],
  ['by SIGKILL', (server) => server.kill()],
];

describe.each(ways)("the target's database is stopped %s and started again", (way, stop) => {
  it('while warming: all is warmed again', async () => {
    world.holdWarming(4);
    const one = await world.announce();
    await world.reached(one, 'warming');
    await world.warmingStands();
    const readUntilStop = await world.blocksRead();
    await stop(world.target);
    world.databaseProxy.release();
    await eventually('the agent to say so', async () =>
      world
        .agent('db2')
        .complaints()
        .some((line) => line.startsWith('the database does not answer')),
    );
    expect((await world.record(one.id))?.state).toBe('warming');
    await world.target.start();
    await world.reached(one, 'ready');
    // A crash loses the server's statistics, a shutdown keeps them.
    await world.warmedOnce(way === 'by SIGKILL' ? 0 : readUntilStop);
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
  });

  it.skipIf(way === 'at once')('while ready: it holds on, and warms all again', async () => {
    const one = await world.announce();
    await world.reached(one, 'ready');
    const readUntilStop = await world.blocksRead();
    await stop(world.target);
    await world.target.start();
    await world.hotAgain();
    await world.warmedOnce(way === 'by SIGKILL' ? 0 : readUntilStop);
    expect((await world.record(one.id))?.state).toBe('ready');
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
  });
});

describe("the source's database is restarted", () => {
  it('during the hold: the target keeps its blocks, and the profile goes on', async () => {
    const one = await world.announce();
    await world.reached(one, 'ready');
    await world.source.restart('immediate');
    const restartedAt = new Date();
    const load = new AppLoad(world.source).start();
    await world.profiled(restartedAt);
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.warmedOnce();
    await load.stop();
    const two = await world.announce();
    const again = await world.reached(two, 'ready');
    expect(again).toMatchObject({ strategy: 'blocks', workSet: { origin: 'agent' } });
    expect(again.workSet!.blocks).toBeGreaterThan(1_000);
  });

  it('while it is asked: the profile serves, and its blocks when it is back', async () => {
    await world.source.stop();
    await eventually('the kept work set to be too old', async () => {
      const asked = fetchWorkSetBytes(
        world.broker.requests,
        'db1',
        { vm: 'app1', sharpen: false, maxAgeMs: 0 },
        10_000,
      );
      return await asked.then(
        () => false,
        () => true,
      );
    });
    const one = await world.announce();
    const ready = await world.reached(one, 'ready');
    expect(ready.workSet?.origin).toBe('profile');
    await world.source.start();
    const load = new AppLoad(world.source).start();
    await world.recorded(one, (record) => record.workSet?.origin === 'agent');
    await load.stop();
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
  });
});
