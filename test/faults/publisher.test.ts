import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../src/lab/free-port.ts';
import { eventually } from './support/eventually.ts';
import { type FaultWorld, startFaultWorld } from './support/fault-world.ts';
import { forewarm } from './support/forewarm-process.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

/** `forewarm migrate -- COMMAND`: whatever is broken, the command runs in time and its status is passed on. */

let world: FaultWorld;
let mark: string;
/** Between the publisher and NATS; the agents have their own ways. */
let publisherProxy: TcpProxy;

beforeAll(async () => {
  world = await startFaultWorld();
  publisherProxy = await TcpProxy.start(world.nats.port);
  mark = join(world.owned.folder('marks'), 'moved-at');
});
afterAll(async () => {
  await publisherProxy?.close();
  await world?.dispose();
});
beforeEach(async () => {
  rmSync(mark, { force: true });
  publisherProxy.reset();
  await world.fresh();
});

const deadlineMs = 3_000;
/** Starting two processes on a busy machine. */
const startMs = 5_000;
/** What may be waited for after the command, to say what became of the VM. */
const announceMs = 10_000;

async function migrate(natsPort: number, options: { readonly status: number; readonly flags?: string[] }) {
  const beganAtMs = Date.now();
  const result = await forewarm(world.owned, [
    'migrate',
    ...['--vm', 'app1', '--deadline', `${deadlineMs}ms`, '--nats-url', `nats://127.0.0.1:${natsPort}`],
    ...(options.flags ?? ['--from', 'db1', '--to', 'db2']),
    ...['--', 'sh', '-c', `date +%s%3N > '${mark}'; exit ${options.status}`],
  ]);
  expect(existsSync(mark), result.err).toBe(true);
  expect(Number(readFileSync(mark, 'utf8')) - beganAtMs).toBeLessThan(deadlineMs + startMs);
  expect(result.ms).toBeLessThan(deadlineMs + startMs + announceMs);
  expect(result.code).toBe(options.status);
  return result;
}

describe('the command runs in time', () => {
  it('when all is well: after ready, and the route follows', async () => {
    await migrate(world.nats.port, { status: 0 });
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db2' });
    await world.warmedOnce();
  });

  it('when NATS is down', async () => {
    const { err } = await migrate(await freePort(), { status: 7 });
    expect(err).toContain('going on without warming');
  });

  it('when NATS is silent', async () => {
    publisherProxy.silence();
    const { err } = await migrate(publisherProxy.port, { status: 0 });
    expect(err).toContain('going on without warming');
    expect(err).toContain('when NATS is back, run `forewarm arrive --vm app1 --to db2`');
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db1' });
  });

  it('when NATS goes silent while it waits', async () => {
    world.holdWarming(1);
    const moved = migrate(publisherProxy.port, { status: 3 });
    await world.warmingStands();
    publisherProxy.silence();
    const { err } = await moved;
    expect(err).toContain('db2 was not ready by the deadline; going on');
  });

  it("when the target's agent is dead, and its heartbeat still there", async () => {
    await world.killAgent('db2');
    const { err } = await migrate(world.nats.port, { status: 0 });
    expect(err).toContain('going on');
    expect(await world.broker.routes.get('app1')).toMatchObject({ replica: 'db2' });
    // The intent waits for the agent, and with it the arrival: the VM is warmed for all the same.
    await world.startAgent('db2');
    await world.hotAgain();
  });

  it('when the target is unknown', async () => {
    const { err } = await migrate(world.nats.port, { status: 9, flags: ['--from', 'db1', '--to', 'db9'] });
    expect(err).toContain('no agent answers for replica db9');
  });

  it('when the VM is unknown', async () => {
    const { err } = await migrate(world.nats.port, {
      status: 0,
      flags: ['--from', 'db1', '--to', 'db2', '--vm', 'ghost'],
    });
    expect(err).toContain('no rule of db1');
  });

  it('when the database is silent', async () => {
    world.databaseProxy.silence();
    const { err } = await migrate(world.nats.port, { status: 1 });
    expect(err).toContain('db2 was not ready by the deadline; going on');
  });
});

describe('the real engine', () => {
  it('stops reading on an abort', async () => {
    world.holdWarming(3);
    const one = await world.announce();
    await world.reached(one, 'warming');
    await world.warmingStands();
    await world.say(one, 'aborted');
    await world.reached(one, 'aborted');
    world.databaseProxy.release();
    await eventually('the run to end', async () => (await world.broker.active.list()).length === 0);
    const { all, resident } = await world.hotBlocks();
    expect(resident).toBeLessThan(all);
  });

  it('lets a newer intent for the same VM go on from what the older one has read', async () => {
    world.holdWarming(4);
    const older = await world.announce();
    await world.reached(older, 'warming');
    await world.warmingStands();
    const newer = await world.announce();
    await world.reached(older, 'aborted');
    world.databaseProxy.release();
    await world.reached(newer, 'ready');
    await world.warmedOnce();
  });
});
