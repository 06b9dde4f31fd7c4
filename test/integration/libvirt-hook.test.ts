import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import type { PublisherConfig } from '../../src/config/options.ts';
import { freePort } from '../../src/lab/free-port.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { newMigrationId, WarmAhead } from '../../src/publisher/warm-ahead.ts';
import { comingXml, HookHost, recorded } from './hook-host.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { testServers } from './servers.ts';

/** The hook as libvirt runs it, as a process of its own, with a real NATS. */

const prefix = `hook${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), 'forewarm-hook-'));
const agents: ScriptedAgent[] = [];
let broker: Broker;
let host: HookHost;

const config = (changes: object = {}, url = testServers().nats) => ({
  nats: { url, prefix, timeout: '1s' },
  host: 'hv2',
  hosts: { hv1: 'db1', hv2: 'db2' },
  guests: { 'web 1.example': 'app1' },
  wait: '8s',
  ...changes,
});

async function agent(script: readonly ('profile' | 'warm' | 'ready' | 'fail')[]): Promise<ScriptedAgent> {
  const started = await ScriptedAgent.start({ url: testServers().nats, prefix, replica: 'db2', script });
  agents.push(started);
  return started;
}

const ready = ['profile', 'warm', 'ready'] as const;

/** The silent outcome of every call that lets the guest go on. */
function expectProceeds(result: { status: number | null; stdout: string }): void {
  expect(result).toMatchObject({ status: 0, stdout: '' });
}

beforeAll(async () => {
  broker = await connectBroker({ url: testServers().nats, prefix, name: 'test', logger: silentLogger });
  await broker.routes.set('app1', { replica: 'db1' });
  await HookHost.build(join(folder, 'bundle'));
  host = new HookHost(join(folder, 'hv2'), config());
});
afterEach(async () => {
  for (const started of agents.splice(0)) await started.stop();
  // What one test left under way is not joined by the next.
  await broker.vms.delete('app1');
  host.configure(config());
});
afterAll(async () => {
  await broker?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('waits until the replica is ready, and leaves a note of it', async () => {
  const db2 = await agent(ready);
  const result = await host.coming('app1');
  expectProceeds(result);
  expect(result.stderr).toMatch(/^forewarm: guest app1: db2 is ready for app1 \(migration app1-\S+\)\n$/);
  const note = host.pending.read('app1');
  expect(note).toMatchObject({ guest: 'app1', vm: 'app1', target: 'db2' });
  expect((await broker.records.get(note!.id))?.value).toMatchObject({ issuedBy: 'libvirt:hv2' });
  expect(host.log()).toContain('db2 is ready for app1');
  expect(db2.states).toEqual(['accepted', 'profiling', 'warming', 'ready']);
});

test('says that a migration which failed later is aborted, and only once', async () => {
  const db2 = await agent(ready);
  await host.coming('app1');
  const xml = recorded('run12-domjobabort/005-hv1-stopped-end.xml');
  expectProceeds(await host.call(['app1', 'stopped', 'end', '-'], { xml }));
  await expect.poll(() => db2.states.at(-1)).toBe('aborted');
  expect(host.pending.read('app1')).toBeUndefined();
  expect(await host.call(['app1', 'release', 'end', '-'], { xml })).toEqual({
    ...{ status: 0, stdout: '', stderr: '' },
  });
});

test('says arrived from the source, where libvirt gives the reason', async () => {
  const db2 = await agent(ready);
  await host.coming('app1');
  const source = new HookHost(join(folder, 'hv1'), config({ host: 'hv1' }));
  const result = await source.call(['app1', 'release', 'end', 'migrated']);
  expectProceeds(result);
  expect(result.stderr).toContain('app1 has arrived at db2; its route is db2');
  await expect.poll(() => db2.states.at(-1)).toBe('arrived');
  expect(await broker.routes.get('app1')).toMatchObject({ replica: 'db2' });
  // Once more, and a plain end later: nothing is left to say.
  const again = await source.call(['app1', 'release', 'end', 'migrated']);
  expect(again).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(await host.call(['app1', 'stopped', 'end', '-'])).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(db2.states.at(-1)).toBe('arrived');
  await broker.routes.set('app1', { replica: 'db1' });
});

test.each([
  ['the map of guests', 'web 1.example', undefined],
  [
    "the domain's metadata",
    'someone',
    `<domain><name>someone</name><metadata><o:vm xmlns:o="urn:other">no</o:vm>
      <forewarm:vm xmlns:forewarm="urn:forewarm">app1</forewarm:vm></metadata></domain>`,
  ],
])('knows the VM by %s', async (_, guest, xml) => {
  await agent(ready);
  const result = await host.coming(guest, xml === undefined ? {} : { xml });
  expectProceeds(result);
  expect(result.stderr).toContain('db2 is ready for app1');
});

test('goes on when the replica is not ready in time', async () => {
  host.configure(config({ wait: '8s' }));
  await agent(['profile', 'warm']);
  const result = await host.coming('app1');
  expectProceeds(result);
  expect(result.stderr).toContain('db2 was not ready for app1 in time');
  expect(result.stderr).toContain('going on without');
});

test('policy require refuses what is not ready, and takes the intent back', async () => {
  host.configure(config({ policy: 'require', wait: '8s' }));
  const db2 = await agent(['profile', 'warm']);
  const result = await host.coming('app1');
  expect(result).toMatchObject({ status: 1, stdout: '' });
  expect(result.stderr).toContain('refused by policy require');
  await expect.poll(() => db2.states.at(-1)).toBe('aborted');
  expect(host.pending.read('app1')).toBeUndefined();
});

test('policy require lets pass what is ready, and whom nobody knows', async () => {
  host.configure(config({ policy: 'require' }));
  await agent(ready);
  expectProceeds(await host.coming('app1'));
  expectProceeds(await host.coming('stranger'));
});

test('joins the migration that `forewarm migrate` announced for the same move', async () => {
  const db2 = await agent(ready);
  const first = await announcedBefore();
  const result = await host.coming('app1');
  expectProceeds(result);
  expect(result.stderr).toContain(`db2 is ready for app1 (migration ${first.id})`);
  expect(db2.states).toEqual(['accepted', 'profiling', 'warming', 'ready']);
  expect(host.pending.read('app1')).toMatchObject({ id: first.id, target: 'db2' });
  // It came to nothing: the next one is a migration of its own.
  expectProceeds(await host.call(['app1', 'stopped', 'end', '-']));
  await expect.poll(() => db2.states.at(-1)).toBe('aborted');
  await host.coming('app1');
  expect(host.pending.read('app1')?.id).not.toBe(first.id);
});

test('policy require refuses one that was joined, and leaves it to its publisher', async () => {
  host.configure(config({ policy: 'require', wait: '2s' }));
  const db2 = await agent(['profile', 'warm']);
  await announcedBefore();
  expect(await host.coming('app1')).toMatchObject({ status: 1, stdout: '' });
  expect(host.pending.read('app1')).toBeUndefined();
  expect(db2.states).toEqual(['accepted', 'profiling', 'warming']);
});

/** As `forewarm migrate -- COMMAND` does before it runs the command. */
async function announcedBefore(): Promise<WarmAhead> {
  const nats = { url: testServers().nats, prefix, timeoutMs: 5_000 };
  const deadline = new Date(Date.now() + 3_000);
  const order = { id: newMigrationId('app1', new Date()), vm: 'app1', to: 'db2', from: undefined, deadline };
  const first = new WarmAhead(order, { nats } as PublisherConfig);
  await first.run(new AbortController().signal, { onTarget() {}, onProgress() {} });
  await first.close();
  expect(first.joined).toBe(false);
  return first;
}

test('a guest that nobody knows, or whose name is none, goes on at once', async () => {
  const db2 = await agent(ready);
  for (const guest of ['stranger', 'with space', 'dotted.name']) {
    const result = await host.coming(guest);
    expectProceeds(result);
    expect(result.stderr).toContain(`guest ${guest} is none of ours`);
  }
  expect(db2.states).toEqual([]);
});

test("goes on when no agent of the host's replica answers", async () => {
  const result = await host.coming('app1');
  expectProceeds(result);
  expect(result.stderr).toContain('no agent answers for replica db2');
});

test('goes on when NATS is down; policy require refuses then', async () => {
  const nowhere = `nats://127.0.0.1:${await freePort()}`;
  host.configure(config({}, nowhere));
  const result = await host.coming('app1');
  expectProceeds(result);
  expect(result.stderr).toContain('does not answer');
  host.configure(config({ policy: 'require' }, nowhere));
  expect(await host.coming('app1')).toMatchObject({ status: 1, stdout: '' });
});

test('goes on when NATS accepts and says nothing', async () => {
  const sockets = new Set<Socket>();
  const silent: Server = createServer((socket) => sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  // Its own timer, not NATS's: that one is far off.
  const nats = { url: `nats://127.0.0.1:${port}`, prefix, timeout: '10m' };
  host.configure(config({ nats, wait: '1s' }));
  const result = await host.coming('app1');
  expectProceeds(result);
  expect(result.stderr).toContain('the time is up; going on without');
  host.configure(config({ nats, wait: '1s', policy: 'require' }));
  expect(await host.coming('app1')).toMatchObject({ status: 1, stdout: '' });
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('goes on when NATS never accepts', async () => {
  const { port, close } = await deafServer();
  host.configure(config({ nats: { url: `nats://127.0.0.1:${port}`, prefix, timeout: '10m' }, wait: '1s' }));
  const result = await host.coming('app1');
  expectProceeds(result);
  expect(result.stderr).toContain('the time is up; going on without');
  close();
});

test('does not wait for an XML that never ends', async () => {
  await agent(ready);
  const result = await host.coming('app1', { keepStdin: true, xml: '<domain>' });
  expectProceeds(result);
  expect(result.stderr).toContain('db2 is ready for app1');
});

test('an XML that is no XML, or far too long, is that of a guest by its own name', async () => {
  await agent(ready);
  const named = '<forewarm:vm xmlns:forewarm="urn:forewarm">stranger</forewarm:vm>';
  for (const xml of [
    `<domain><metadata>${named}</domain`,
    `\0\xff<<<urn:forewarm`,
    `<domain><metadata>${named}</metadata>${'<x y="z"/>'.repeat(600_000)}</domain>`,
  ]) {
    const result = await host.coming('app1', { xml });
    expectProceeds(result);
    expect(result.stderr).toContain('db2 is ready for app1');
  }
});

test.each([
  ['is faulty', { hosts: 'db2' }, 'hosts must be a map'],
  ['has an unknown option', { host: 'hv2', hosts: { hv2: 'db2' }, wiat: '3s' }, 'did you mean wait?'],
  ['does not name this host', { host: 'hv9', hosts: { hv2: 'db2' } }, 'names no replica of hv9'],
])('goes on with a clear line when the configuration %s', async (_, changes, line) => {
  host.configure(changes);
  const result = await host.coming('app1');
  expectProceeds(result);
  expect(result.stderr).toContain(line);
});

test('goes on with a clear line when the configuration is missing', async () => {
  const bare = new HookHost(join(folder, 'bare'), config());
  rmSync(bare.configFile);
  const result = await bare.coming('app1');
  expectProceeds(result);
  expect(result.stderr).toContain('hook.yaml: is not there');
});

test('an install writes a launcher that answers calls', async () => {
  const target = join(folder, 'hooks');
  const install = (...more: string[]) =>
    spawnSync(
      process.execPath,
      [
        ...['--import', 'tsx', 'src/cli.ts', 'hook', 'libvirt', '--install'],
        // As an operator types it; libvirt runs the hook elsewhere.
        ...['--folder', target, '--config', relative('.', host.configFile), ...more],
      ],
      { encoding: 'utf8' },
    );
  const dry = install('--dry-run');
  expect(dry).toMatchObject({ status: 0, stderr: '' });
  expect(existsSync(target)).toBe(false);
  const wet = install();
  expect(wet.stdout).toContain('systemctl restart libvirtd');
  const launcher = join(target, 'qemu.d', 'forewarm');
  expect(dry.stdout).toBe(`# ${launcher}, mode 755\n${readFileSync(launcher, 'utf8')}`);
  const env = { HOME: '/', LC_ALL: 'C', PATH: '/usr/bin:/bin' };
  const called = spawnSync(launcher, ['stranger', 'migrate', 'begin', '-'], {
    env,
    input: comingXml,
    encoding: 'utf8',
  });
  expect(called).toMatchObject({ status: 0, stdout: '' });
  expect(called.stderr).toContain('guest stranger is none of ours');
  expect(install()).toMatchObject({ status: 0 });
});

test('calls that are none of ours are silent', async () => {
  for (const operation of ['prepare', 'start', 'started', 'restore', 'reconnect', 'attach']) {
    expect(await host.call(['app1', operation, 'begin', '-'])).toEqual({ status: 0, stdout: '', stderr: '' });
  }
  expect(await host.call(['stranger', 'stopped', 'end', '-'])).toEqual({ status: 0, stdout: '', stderr: '' });
});

/** A server that is stopped in its tracks, with a full queue: the kernel drops what asks for a connection. */
async function deafServer(): Promise<{ port: number; close: () => void }> {
  const script =
    "const s=require('net').createServer();s.listen({port:0,host:'127.0.0.1',backlog:1},()=>console.log(s.address().port))";
  const child: ChildProcess = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const port = Number(await new Promise((resolve) => child.stdout!.once('data', resolve)));
  child.kill('SIGSTOP');
  const sockets: Socket[] = [];
  for (let full = false; !full; ) {
    const socket = dial({ port, host: '127.0.0.1' }).on('error', () => {});
    sockets.push(socket);
    full = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(false));
      setTimeout(() => resolve(true), 500);
    });
  }
  return {
    port,
    close() {
      for (const socket of sockets) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}
