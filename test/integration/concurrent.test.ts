import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { freePort } from '../../src/lab/free-port.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { siblingScript } from '../../src/lab/sibling-script.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { eventually } from '../faults/support/eventually.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { testServers } from './servers.ts';

/** `forewarm migrate --concurrent`: the command runs at once, readiness opens its gate. */

const prefix = `conc${process.pid}`;
const cli = siblingScript(import.meta.url, '../../src/cli');
const owned = new OwnedProcesses({ handleSignals: false });
const folder = mkdtempSync(join(tmpdir(), 'forewarm-concurrent-'));
const agents: ScriptedAgent[] = [];
let broker: Broker;
let [began, opened, stop] = ['', '', ''];
let count = 0;

beforeAll(async () => {
  broker = await connectBroker({ url: testServers().nats, prefix, name: 'test', logger: silentLogger });
});
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
});
afterAll(async () => {
  await broker?.close();
  await owned.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function agent(): Promise<ScriptedAgent> {
  const script = ['profile', 'warm'] as const;
  const started = await ScriptedAgent.start({ url: testServers().nats, prefix, replica: 'db2', script });
  agents.push(started);
  return started;
}

/** A stand-in for a migration: it says that it began, and ends when its gate is open or the test stops it. */
function migrate(id: string, options: { flags?: string[]; gate?: string; status?: number } = {}) {
  count += 1;
  [began, opened, stop] = ['began', 'opened', 'stop'].map((name) => join(folder, `${name}-${count}`)) as [
    ...[string, string, string],
  ];
  const gate = options.gate ?? `echo "$FOREWARM_VM $FOREWARM_TARGET $FOREWARM_OUTCOME" > '${opened}'`;
  const command = `echo out; touch '${began}'; until [ -e '${opened}' ] || [ -e '${stop}' ]; do sleep 0.05; done; exit ${options.status ?? 0}`;
  const args = [
    ...[...cli, 'migrate', '--vm', 'app1', '--from', 'db1', '--to', 'db2', '--id', id],
    ...['--concurrent', '--when-ready', gate, ...(options.flags ?? []), '--', 'sh', '-c', command],
  ];
  const env = { ...process.env, FOREWARM_NATS_URL: testServers().nats, FOREWARM_NATS_PREFIX: prefix };
  const running = owned.spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let [stdout, stderr] = ['', ''];
  running.child.stdout?.on('data', (data) => {
    stdout += data;
  });
  running.child.stderr?.on('data', (data) => {
    stderr += data;
  });
  return {
    pid: running.pid,
    end: running.ended.then(({ code }) => ({ code, stdout, stderr })),
  };
}

const stateOf = async (id: string) => (await broker.records.get(id))?.value.state;
const warming = (id: string) => eventually('the warming', async () => (await stateOf(id)) === 'warming');
const hasBegun = () => eventually('the command to begin', async () => existsSync(began));

test('begins at once, opens the gate when ready, and arrives', async () => {
  const db2 = await agent();
  const moving = migrate('c-ready');
  await hasBegun();
  await warming('c-ready');
  expect(existsSync(opened)).toBe(false);
  await db2.go('c-ready', 'ready');
  const { code, stdout, stderr } = await moving.end;
  expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: 'out\n' });
  expect(readFileSync(opened, 'utf8')).toBe('app1 db2 ready\n');
  expect(stderr).toContain('app1 has arrived; its route is db2');
  await expect.poll(() => stateOf('c-ready')).toBe('arrived');
  await broker.routes.set('app1', { replica: 'db1' });
});

test('opens the gate at the deadline; JSON tells of it', async () => {
  await agent();
  const { code, stdout } = await migrate('c-late', { flags: ['--deadline', '8s', '--json'] }).end;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ outcome: 'deadline', command: { status: 0 } });
  expect(readFileSync(opened, 'utf8')).toBe('app1 db2 deadline\n');
});

test('opens the gate at once when NATS is down', async () => {
  const nowhere = `nats://127.0.0.1:${await freePort()}`;
  const { code, stderr } = await migrate('c-down', { flags: ['--nats-url', nowhere, '--deadline', '5m'] })
    .end;
  expect(code).toBe(0);
  expect(stderr).toContain('going on without warming');
  expect(readFileSync(opened, 'utf8')).toBe('app1 db2 skipped\n');
});

test('a command that ends first is not waited for any longer, and its failure aborts', async () => {
  await agent();
  const moving = migrate('c-first', { status: 7 });
  await warming('c-first');
  writeFileSync(stop, '');
  const { code, stderr } = await moving.end;
  expect(code).toBe(7);
  expect(stderr).toContain('the command ended with status 7; the migration is aborted');
  expect(existsSync(opened)).toBe(false);
  await expect.poll(() => stateOf('c-first')).toBe('aborted');
});

test('a gate that fails is tried again', async () => {
  const db2 = await agent();
  const mark = join(folder, 'tried');
  const moving = migrate('c-gate', {
    gate: `[ -e '${mark}' ] || { touch '${mark}'; exit 1; }; touch '${join(folder, `opened-${count + 1}`)}'`,
  });
  await warming('c-gate');
  await db2.go('c-gate', 'ready');
  expect((await moving.end).code).toBe(0);
  expect(existsSync(mark)).toBe(true);
});

test('a signal reaches the command, and the migration is aborted', async () => {
  await agent();
  const moving = migrate('c-signal');
  await warming('c-signal');
  process.kill(moving.pid, 'SIGTERM');
  expect((await moving.end).code).toBe(143);
  await expect.poll(() => stateOf('c-signal')).toBe('aborted');
});

test.each([
  [['--concurrent'], '--concurrent needs a COMMAND'],
  [['--when-ready', 'true', '--', 'true'], '--when-ready belongs to --concurrent'],
  [['--qmp', '/x'], '--qmp and --to-uri belong together'],
  [['--qmp', '/x', '--to-uri', 'tcp:x:1', '--', 'true'], '--qmp moves the VM itself'],
])('%j is refused', async (flags, message) => {
  const args = [...cli, 'migrate', '--vm', 'app1', '--to', 'db2', ...flags];
  const { child, ended } = owned.spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  expect((await ended).code).toBe(2);
  expect(stderr).toContain(message);
});
