import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.ts';
import { type FaultWorld, startFaultWorld, steps } from './support/fault-world.ts';

let world: FaultWorld;

beforeAll(async () => {
  world = await startFaultWorld();
});
afterAll(() => world?.dispose());
beforeEach(() => world.fresh());

const complains = (text: string, since = 0) =>
  eventually(`the agent to say: ${text}`, async () =>
    world
      .agent('db2')
      .complaints()
      .slice(since)
      .some((line) => line.includes(text)),
  );

describe('the network goes silent: connections are accepted and never answered', () => {
  it('to the database while warming: the agent notices, says so, and goes on when it is back', async () => {
    world.holdWarming(4);
    const one = await world.announce();
    await world.reached(one, 'warming');
    await world.warmingStands();
    const before = world.agent('db2').complaints().length;
    world.databaseProxy.silence();
    world.databaseProxy.release();
    await complains('the database does not answer', before);
    await eventually('its heartbeat to say so', async () => {
      const beat = (await world.broker.replicas.get('db2'))?.value;
      return beat?.canWarm === false && beat.degraded.length > 0;
    });
    expect((await world.record(one.id))?.state).toBe('warming');
    world.databaseProxy.heal();
    await world.reached(one, 'ready', 30_000);
    await world.warmedOnce();
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
  });

  it('to NATS while warming: the agent warms on, and tells all when NATS is back', async () => {
    world.holdWarming(4);
    const one = await world.announce();
    await world.reached(one, 'warming');
    await world.warmingStands();
    const before = world.agent('db2').complaints().length;
    world.natsProxy.silence();
    world.databaseProxy.release();
    await world.hotAgain();
    await complains('no heartbeat could be published', before);
    await world.say(one, 'arrived');
    world.natsProxy.heal();
    // The old connection stays dead: only its unanswered pings tell.
    await world.reached(one, 'completed', 60_000);
    await world.warmedOnce();
    await world.stepped(one, steps);
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db2', migration: one.id });
  });
});
