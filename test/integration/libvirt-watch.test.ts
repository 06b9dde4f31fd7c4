import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { PendingMigrations } from '../../src/hypervisor/pending.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { siblingScript } from '../../src/lab/sibling-script.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { eventually } from '../faults/support/eventually.ts';
import { RunningCommand } from './forewarm-cli.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { testServers } from './servers.ts';

/**
 * `forewarm watch libvirt` as a process, with a real NATS. A script stands in for virsh: it prints the lines that virsh
 * prints, when the test says so.
 */

const prefix = `watch${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), 'forewarm-watch-'));
const owned = new OwnedProcesses({ handleSignals: false });
const notes = new PendingMigrations(join(folder, 'state'));
const file = (name: string) => join(folder, name);
const agents: ScriptedAgent[] = [];
let broker: Broker;
let watching: ReturnType<OwnedProcesses['spawn']>;

const standIn = `#!/bin/sh
[ "$1" = --connect ] && shift 2
cd '${folder}'
case "$1" in
  event) echo "$$" >> starts; touch events; exec tail -n 0 -f --pid=$PPID events ;;
  list) cat guests ;;
  domstate) cat "state-$3" ;;
  dumpxml) echo "<domain><name>$2</name></domain>" ;;
esac
`;

beforeAll(async () => {
  broker = await connectBroker({ url: testServers().nats, prefix, name: 'test', logger: silentLogger });
  writeFileSync(file('virsh'), standIn, { mode: 0o755 });
  writeFileSync(file('guests'), '');
  writeFileSync(file('events'), '');
  const config = { host: 'hv2', hosts: { hv1: 'db1', hv2: 'db2' }, state: file('state') };
  writeFileSync(file('hook.yaml'), JSON.stringify({ nats: { url: testServers().nats, prefix }, ...config }));
  const cli = siblingScript(import.meta.url, '../../src/cli');
  watching = owned.spawn(
    process.execPath,
    [
      ...[...cli, 'watch', 'libvirt', '--config', file('hook.yaml')],
      ...['--virsh', file('virsh'), '--connect', 'test:///x'],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  await eventually('virsh to be started', async () => virshPids().length === 1);
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
});
afterAll(async () => {
  await owned.dispose();
  await broker?.close();
  rmSync(folder, { recursive: true, force: true });
});

const virshPids = () =>
  existsSync(file('starts')) ? readFileSync(file('starts'), 'utf8').trim().split('\n').map(Number) : [];

async function happens(guest: string, what: string): Promise<void> {
  // The stand-in follows the file's end, which it may not have reached yet.
  await eventually(
    'virsh to follow',
    async () => readFileSync(`/proc/${virshPids().at(-1)}/comm`, 'utf8') === 'tail\n',
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  writeFileSync(file('events'), `event 'lifecycle' for domain '${guest}': ${what}\n`, { flag: 'a' });
}

/** A migration to this host's replica that its agent holds ready, with or without the hook's note of it. */
async function announced(id: string, vm: string, options: { note: boolean }): Promise<ScriptedAgent> {
  for (const former of agents.splice(0)) await former.stop();
  const script = ['profile', 'warm', 'ready'] as const;
  const agent = await ScriptedAgent.start({ url: testServers().nats, prefix, replica: 'db2', script });
  agents.push(agent);
  await broker.routes.set(vm, { replica: 'db1' });
  const deadline = new Date(Date.now() + 20_000).toISOString();
  const issuedAt = new Date().toISOString();
  await broker.publishIntent({
    v: 1,
    kind: 'intent',
    id,
    vm,
    source: 'db1',
    target: 'db2',
    deadline,
    issuedAt,
  });
  if (options.note) notes.write({ guest: vm, vm, id, target: 'db2', deadline });
  await expect.poll(() => agent.states.at(-1)).toBe('ready');
  return agent;
}

test.each([true, false])(
  'a guest that runs here after its migration has arrived (note of the hook: %s)',
  async (note) => {
    const vm = `arrives-${note}`;
    const agent = await announced(`w-${vm}`, vm, { note });
    await happens(vm, 'Started Migrated');
    await happens(vm, 'Suspended Paused');
    await happens(vm, 'Resumed Migrated');
    await expect.poll(() => agent.states.at(-1)).toBe('arrived');
    expect(await broker.routes.get(vm)).toMatchObject({ replica: 'db2', migration: `w-${vm}` });
    await eventually('the note to go', async () => notes.read(vm) === undefined);
  },
);

test.each([true, false])('a migration that failed is aborted (note of the hook: %s)', async (note) => {
  const vm = `fails-${note}`;
  const agent = await announced(`w-${vm}`, vm, { note });
  await happens(vm, 'Stopped Failed');
  await expect.poll(() => agent.states.at(-1)).toBe('aborted');
  expect(await broker.routes.get(vm)).toMatchObject({ replica: 'db1' });
  await eventually('the note to go', async () => notes.read(vm) === undefined);
});

test('a source whose guest goes on after a cancelled migration says nothing', async () => {
  await broker.routes.set('stays', { replica: 'db9' });
  writeFileSync(file('state-stays'), 'running (migration canceled)\n');
  await happens('stays', 'Resumed Migrated');
  // What is told is told in order: when the next one is there, this one was passed over.
  await broker.routes.set('comes', { replica: 'db1' });
  writeFileSync(file('state-comes'), 'running (migrated)\n');
  await happens('comes', 'Resumed Migrated');
  await expect.poll(async () => (await broker.routes.get('comes'))?.replica).toBe('db2');
  expect(await broker.routes.get('stays')).toMatchObject({ replica: 'db9' });
});

test('what happened while virsh was away is seen when it is back', async () => {
  const came = await announced('w-missed', 'missed', { note: true });
  writeFileSync(file('guests'), 'missed\n');
  writeFileSync(file('state-missed'), 'running (migrated)\n');
  notes.write({
    guest: 'never',
    vm: 'never',
    id: 'w-never',
    target: 'db2',
    deadline: '2020-01-01T00:00:00.000Z',
  });
  const before = virshPids();
  process.kill(before.at(-1)!, 'SIGKILL');
  await eventually('virsh to be started again', async () => virshPids().length > before.length);
  await expect.poll(() => came.states.at(-1)).toBe('arrived');
  await eventually('the notes to go', async () => notes.list().length === 0);
  const agent = await announced('w-after', 'after', { note: false });
  await happens('after', 'Resumed Migrated');
  await expect.poll(() => agent.states.at(-1)).toBe('arrived');
});

test('without virsh it says what to install, and does not begin', async () => {
  const args = ['watch', 'libvirt', '--config', file('hook.yaml'), '--virsh', file('none')];
  const { status, stderr } = await new RunningCommand(args, {}).end;
  expect(status).toBe(2);
  expect(stderr).toContain(`there is no program ${file('none')} on this host`);
  expect(stderr).toContain('--virsh PATH');
});

test('ends in order, and virsh with it', async () => {
  const pid = virshPids().at(-1)!;
  await owned.end(watching, 'SIGTERM');
  expect(await watching.ended).toEqual({ code: 0, signal: null });
  await eventually('virsh to end', async () => !existsSync(`/proc/${pid}`));
});
