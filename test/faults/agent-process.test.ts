import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.ts';
import { type FaultWorld, startFaultWorld, steps } from './support/fault-world.ts';
import { AgentProcess } from './support/forewarm-process.ts';

let world: FaultWorld;

beforeAll(async () => {
  world = await startFaultWorld();
});
afterAll(() => world?.dispose());
beforeEach(() => world.fresh());

const sessionsOfForewarm = async () => {
  const rows = await world.target.query(`SELECT pid FROM pg_stat_activity WHERE usename = 'forewarm'`);
  return rows.length;
};

describe('an agent that is told to end', () => {
  it('drains: no session and no heartbeat stay, and its migration goes on after its restart', async () => {
    world.holdWarming(3);
    const one = await world.announce();
    await world.reached(one, 'warming');
    await world.warmingStands();
    const ended = world.agent('db2').stop();
    world.databaseProxy.release();
    expect(await ended).toEqual({ code: 0, signal: null });
    await eventually('its sessions to end', async () => (await sessionsOfForewarm()) === 0);
    expect(await world.broker.replicas.get('db2')).toBeNull();
    expect((await world.record(one.id))?.state).toBe('warming');
    await world.startAgent('db2');
    await world.reached(one, 'ready');
    await world.warmedOnce();
    await world.say(one, 'arrived');
    await world.reached(one, 'completed');
    await world.stepped(one, steps);
  });

  it('ends also while its database is silent', async () => {
    const one = await world.announce();
    await world.reached(one, 'ready');
    world.databaseProxy.silence();
    expect(await world.agent('db2').stop()).toEqual({ code: 0, signal: null });
    expect(await world.broker.replicas.get('db2')).toBeNull();
  });

  it('ends also while NATS is silent', async () => {
    const one = await world.announce();
    await world.reached(one, 'ready');
    world.natsProxy.silence();
    expect(await world.agent('db2').stop()).toEqual({ code: 0, signal: null });
  });

  it('ends also while it waits for NATS', async () => {
    await world.killAgent('db2');
    world.natsProxy.silence();
    const agent = await world.spawnAgent('db2');
    await eventually('it to wait', async () =>
      agent.complaints().some((line) => line.includes('waiting for NATS')),
    );
    expect(await agent.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('two agents of one replica', () => {
  it('say so in their log', async () => {
    const first = world.agent('db1');
    const config = { ...world.config('db1'), http: { listen: '127.0.0.1:0' } };
    const second = await AgentProcess.start(world.owned, config);
    await eventually('an error in the log', async () =>
      first.complaints().some((line) => line.includes('another agent serves replica db1 too')),
    );
    await second.stop();
    expect(first.running).toBe(true);
  });
});
