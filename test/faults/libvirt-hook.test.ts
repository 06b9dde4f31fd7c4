import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { HookHost } from '../integration/hook-host.ts';
import { type FaultWorld, startFaultWorld } from './support/fault-world.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

/** libvirt's hook as a process, with real agents on real servers: whatever breaks, the guest goes on. */

let world: FaultWorld;
let host: HookHost;
/** Between the hook and NATS. */
let hookProxy: TcpProxy;

beforeAll(async () => {
  world = await startFaultWorld();
  hookProxy = await TcpProxy.start(world.nats.port);
  await HookHost.build(world.owned.folder('bundle'));
  host = new HookHost(join(world.owned.folder('hypervisors'), 'hv2'), {});
});
afterAll(async () => {
  await hookProxy?.close();
  await world?.dispose();
});
beforeEach(async () => {
  hookProxy.reset();
  host.configure({
    nats: { url: `nats://127.0.0.1:${hookProxy.port}`, timeout: '2s' },
    host: 'hv2',
    hosts: { hv1: 'db1', hv2: 'db2' },
    wait: '6s',
  });
  await world.fresh();
});

const proceeds = { status: 0, stdout: '' };

test('a guest comes when its replica is warm; it is aborted when it comes to nothing', async () => {
  const result = await host.coming('app1');
  expect(result).toMatchObject(proceeds);
  expect(result.stderr).toContain('db2 is ready for app1');
  await world.warmedOnce();
  const note = host.pending.read('app1')!;
  expect(await host.call(['app1', 'stopped', 'end', '-'])).toMatchObject(proceeds);
  await world.reached(note, 'aborted');
});

test('NATS goes silent while the hook waits', async () => {
  world.holdWarming(1);
  const coming = host.coming('app1');
  await world.warmingStands();
  hookProxy.silence();
  expect(await coming).toMatchObject(proceeds);
  const note = host.pending.read('app1');
  // The guest did not come, and NATS is still silent: the note stays for the next time.
  expect(await host.call(['app1', 'release', 'end', 'failed'])).toMatchObject(proceeds);
  expect(host.pending.read('app1')).toEqual(note);
  hookProxy.reset();
  expect(await host.call(['app1', 'release', 'end', 'failed'])).toMatchObject(proceeds);
  expect(host.pending.read('app1')).toBeUndefined();
  await world.reached(note!, 'aborted');
});

test("the target's agent is dead, and its heartbeat still there", async () => {
  await world.killAgent('db2');
  const result = await host.coming('app1');
  expect(result).toMatchObject(proceeds);
  expect(result.stderr).toContain('going on without');
  // Its intent waits for it, and so does what became of the guest.
  const note = host.pending.read('app1')!;
  expect(await host.call(['app1', 'stopped', 'end', '-'])).toMatchObject(proceeds);
  await world.startAgent('db2');
  await world.reached(note, 'aborted');
});

test('the database is silent', async () => {
  world.databaseProxy.silence();
  const result = await host.coming('app1');
  expect(result).toMatchObject(proceeds);
  expect(result.stderr).toContain('going on without');
  const note = host.pending.read('app1');
  world.databaseProxy.reset();
  if (note === undefined) return;
  expect(await host.call(['app1', 'stopped', 'end', '-'])).toMatchObject(proceeds);
  await world.reached(note, 'aborted');
});
