import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { Qmp } from '../../src/hypervisor/qmp.ts';
import { freePort } from '../../src/lab/free-port.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { locateQemu, type QemuGuest, startQemuGuest } from '../../src/lab/qemu.ts';
import { siblingScript } from '../../src/lab/sibling-script.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { eventually } from '../faults/support/eventually.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { testServers } from './servers.ts';

/** `forewarm migrate --qmp`: real live migrations between two QEMU processes, with a real NATS. */

const qemu = await locateQemu().catch((error: Error) => error);
if (qemu instanceof Error) console.warn(`QEMU tests are skipped: ${qemu.message}`);
const withQemu = test.skipIf(qemu instanceof Error);

const prefix = `qmp${process.pid}`;
const cli = siblingScript(import.meta.url, '../../src/cli');
const owned = new OwnedProcesses({ handleSignals: false });
let broker: Broker;
let agent: ScriptedAgent;
let guests: { source: QemuGuest; target: QemuGuest; uri: string };
let count = 0;

beforeAll(async () => {
  broker = await connectBroker({ url: testServers().nats, prefix, name: 'test', logger: silentLogger });
});
afterEach(async () => {
  await agent?.stop();
  for (const { child } of [guests.source, guests.target]) await owned.end(child, 'SIGKILL');
});
afterAll(async () => {
  await broker?.close();
  await owned.dispose();
});

async function startGuests(): Promise<void> {
  count += 1;
  const uri = `tcp:127.0.0.1:${await freePort()}`;
  const source = await startQemuGuest({ owned, name: `source-${count}` });
  const target = await startQemuGuest({ owned, name: `target-${count}`, incoming: uri });
  for (const guest of [source, target]) {
    await eventually('QEMU to listen', () => ask(guest, 'query-status').catch(() => undefined));
  }
  guests = { source, target, uri };
  const script = ['profile', 'warm'] as const;
  agent = await ScriptedAgent.start({ url: testServers().nats, prefix, replica: 'db2', script });
}

/** By the second socket: the first one is the migration's. */
async function ask(guest: QemuGuest, command: string): Promise<Record<string, unknown>> {
  const qmp = await Qmp.connect(guest.secondQmp);
  try {
    return (await qmp.execute(command)) as Record<string, unknown>;
  } finally {
    qmp.close();
  }
}

/** Held so far down that a migration of the guest's noise would take minutes. */
function migrate(id: string, ...flags: string[]) {
  const { source, uri } = guests;
  const args = [
    ...[...cli, 'migrate', '--vm', 'app1', '--from', 'db1', '--to', 'db2', '--id', id],
    ...['--qmp', source.qmp, '--to-uri', uri, '--held-bandwidth', '200kB', ...flags],
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
  const end = running.ended.then(({ code, signal }) => ({ code, signal, stdout, stderr }));
  return { end, kill: (signal: NodeJS.Signals) => process.kill(running.pid, signal) };
}

const stateOf = async (id: string) => (await broker.records.get(id))?.value.state;
const warming = (id: string) => eventually('the warming', async () => (await stateOf(id)) === 'warming');
const held = () =>
  eventually('memory to move', async () => {
    const { status, ram } = (await ask(guests.source, 'query-migrate')) as {
      status?: string;
      ram?: { transferred: number };
    };
    return status === 'active' && (ram?.transferred ?? 0) > 100_000;
  });
/** What QEMU has before a migration of ours and shall have after it. */
const capabilities = async () => {
  const known = (await ask(guests.source, 'query-migrate-capabilities')) as unknown as readonly {
    readonly capability: string;
    readonly state: boolean;
  }[];
  return known.filter(({ state }) => state).map(({ capability }) => capability);
};
const bandwidth = async () => (await ask(guests.source, 'query-migrate-parameters'))['max-bandwidth'];

withQemu('is held until the target is ready, then arrives', async () => {
  await startGuests();
  const before = await bandwidth();
  const moving = migrate('q-ready');
  await warming('q-ready');
  await held();
  expect(await bandwidth()).toBe(200_000);
  expect(await ask(guests.target, 'query-status')).toMatchObject({ status: 'inmigrate' });
  await agent.go('q-ready', 'ready');
  const { code, stderr } = await moving.end;
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toContain('app1 has arrived; its route is db2');
  expect(await ask(guests.target, 'query-status')).toMatchObject({ status: 'running' });
  expect(await bandwidth()).toBe(before);
  expect(await capabilities()).toEqual([]);
  await expect.poll(() => stateOf('q-ready')).toBe('arrived');
  await broker.routes.set('app1', { replica: 'db1' });
});

withQemu('goes on at the deadline', async () => {
  await startGuests();
  const { code, stderr } = await migrate('q-late', '--deadline', '8s', '--full-bandwidth', '1GiB').end;
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toContain('db2 was not ready by the deadline; going on');
  expect(await ask(guests.target, 'query-status')).toMatchObject({ status: 'running' });
});

withQemu('goes on at once when NATS is down', async () => {
  await startGuests();
  const nowhere = `nats://127.0.0.1:${await freePort()}`;
  const { code, stderr } = await migrate('q-down', '--nats-url', nowhere, '--deadline', '5m').end;
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toContain('going on without warming');
  expect(await ask(guests.target, 'query-status')).toMatchObject({ status: 'running' });
});

withQemu('says aborted when the destination refuses', async () => {
  await startGuests();
  guests = { ...guests, uri: `tcp:127.0.0.1:${await freePort()}` };
  const { code, stderr } = await migrate('q-refused').end;
  expect(code).toBe(1);
  expect(stderr).toContain("QEMU's migration is failed");
  expect(await ask(guests.source, 'query-status')).toMatchObject({ status: 'running' });
});

withQemu('says aborted when the destination dies on the way', async () => {
  await startGuests();
  const before = await bandwidth();
  const moving = migrate('q-dead');
  await warming('q-dead');
  await held();
  await owned.end(guests.target.child, 'SIGKILL');
  const { code, stderr } = await moving.end;
  expect(code).toBe(1);
  expect(stderr).toContain("QEMU's migration is failed");
  await expect.poll(() => stateOf('q-dead')).toBe('aborted');
  expect(await ask(guests.source, 'query-status')).toMatchObject({ status: 'running' });
  expect(await bandwidth()).toBe(before);
  expect(await capabilities()).toEqual([]);
});

withQemu('says aborted when the source dies', async () => {
  await startGuests();
  const moving = migrate('q-lost');
  await warming('q-lost');
  await held();
  await owned.end(guests.source.child, 'SIGKILL');
  const { code, stderr } = await moving.end;
  expect(code).toBe(1);
  expect(stderr).toContain("QEMU's migration is lost");
  await expect.poll(() => stateOf('q-lost')).toBe('aborted');
});

withQemu('is cancelled by a signal', async () => {
  await startGuests();
  const moving = migrate('q-signal');
  await warming('q-signal');
  await held();
  moving.kill('SIGTERM');
  const { code } = await moving.end;
  expect(code).toBe(143);
  await expect.poll(() => stateOf('q-signal')).toBe('aborted');
  expect(await ask(guests.source, 'query-status')).toMatchObject({ status: 'running' });
});

withQemu('nothing moves and nothing is published when QEMU is not there', async () => {
  await startGuests();
  guests = { ...guests, source: { ...guests.source, qmp: join(owned.folder('none'), 'qmp') } };
  const { code, stderr } = await migrate('q-none').end;
  expect(code).toBe(1);
  expect(stderr).toContain('ENOENT');
  expect(stderr).toContain('-qmp unix:PATH');
  expect(await stateOf('q-none')).toBeUndefined();
});
