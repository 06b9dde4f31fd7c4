import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { freePort } from '../../src/lab/free-port.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { TcpProxy } from '../faults/support/tcp-proxy.ts';
import { type CallOptions, HookHost } from './hook-host.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { testServers } from './servers.ts';

/** A guest that is none of ours costs no start of Node; whenever that is not certain, Node decides. With a real NATS. */

const prefix = `stranger${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), 'forewarm-stranger-'));
let broker: Broker;
/** Between the hook and NATS. */
let proxy: TcpProxy;
let host: HookHost;

const config = (changes: object = {}) => ({
  nats: { url: `nats://127.0.0.1:${proxy.port}`, prefix, timeout: '1s' },
  host: 'hv2',
  hosts: { hv1: 'db1', hv2: 'db2' },
  guests: { mapped: 'app1', 'web 1.example': 'app1' },
  wait: '3s',
  ...changes,
});
const withoutNode = (args: readonly string[], options: CallOptions = {}) =>
  host.call(args, { ...options, launcher: host.launcherWithoutNode });
const coming = (guest: string) => [guest, 'migrate', 'begin', '-'];
/** What a launcher says of a Node that is not there. */
const nodeWasAsked = expect.stringContaining('the hook ended with 127');

beforeAll(async () => {
  const { nats } = testServers();
  broker = await connectBroker({ url: nats, prefix, name: 'test', logger: silentLogger });
  await broker.routes.set('app1', { replica: 'db1' });
  proxy = await TcpProxy.start(Number(new URL(nats).port));
  await HookHost.build(join(folder, 'bundle'));
  host = new HookHost(join(folder, 'hv2'), config());
});
afterAll(async () => {
  await proxy?.close();
  await broker?.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  proxy.reset();
  host.configure(config());
  // By Node, which then knows how it can be told without.
  expect((await host.coming('stranger')).stderr).toContain('is none of ours');
});

test("a stranger's guest comes and goes without Node", async () => {
  expect(statSync(host.shortcut).mode & 0o777).toBe(0o600);
  const line = 'guest other is none of ours: no route and no profile of other is known';
  expect(await withoutNode(coming('other'))).toEqual({
    status: 0,
    stdout: '',
    stderr: `forewarm: ${line}\n`,
  });
  expect(host.log()).toMatch(
    new RegExp(`^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z ${line}$`, 'm'),
  );
  for (const call of ['stopped end -', 'release end -', 'release end migrated']) {
    const result = await withoutNode(['other', ...call.split(' ')]);
    expect(result).toEqual({ status: 0, stdout: '', stderr: '' });
  }
});

test('an XML that never ends does not hold it', async () => {
  const result = await withoutNode(coming('other'), { xml: '<domain>', keepStdin: true });
  expect(result).toMatchObject({ status: 0, stderr: expect.stringContaining('is none of ours') });
});

describe('Node decides', () => {
  const xml = '<domain><metadata><f:vm xmlns:f="urn:forewarm">app1</f:vm></metadata></domain>';

  test.each([
    ['of a guest that is known', coming('app1'), {}],
    ['of a guest that has another name for us', coming('mapped'), {}],
    ['of a guest whose name is none', coming('web 1.example'), {}],
    ['of a guest whose domain has a word for us', coming('other'), { xml }],
    ['where the environment has options', coming('other'), { env: { FOREWARM_NATS_PREFIX: 'else' } }],
    ['of a known guest that has left', ['app1', 'release', 'end', 'migrated'], {}],
  ])('%s', async (_, args, options) => {
    expect(await withoutNode(args, options)).toMatchObject({ status: 0, stdout: '', stderr: nodeWasAsked });
  });

  test('where the configuration is another one, and knows it from then on', async () => {
    host.configure(config({ wait: '4s' }));
    expect((await withoutNode(coming('other'))).stderr).toEqual(nodeWasAsked);
    await host.coming('other');
    expect((await withoutNode(coming('other'))).stderr).toContain('is none of ours');
  });

  test('where NATS is silent, or away', async () => {
    proxy.silence();
    expect((await withoutNode(coming('other'))).stderr).toEqual(nodeWasAsked);
    proxy.reset();
    host.configure(config({ nats: { url: `nats://127.0.0.1:${await freePort()}`, prefix } }));
    await host.coming('other');
    expect((await withoutNode(coming('other'))).stderr).toEqual(nodeWasAsked);
  });

  test('of a VM that is known by now', async () => {
    await broker.routes.set('newcomer', { replica: 'db1' });
    expect((await withoutNode(coming('newcomer'))).stderr).toEqual(nodeWasAsked);
  });

  test('where this host has announced a migration of the guest that ended', async () => {
    const note = { guest: 'app1', vm: 'app1', id: 'm1', target: 'db2', deadline: new Date().toISOString() };
    host.pending.write(note);
    expect((await withoutNode(['app1', 'stopped', 'end', '-'])).stderr).toEqual(nodeWasAsked);
    host.pending.remove(note);
  });

  test('where NATS is asked for in a way that bash does not speak', async () => {
    rmSync(host.shortcut);
    host.configure(
      config({ nats: { ...config().nats, url: `${config().nats.url},nats://user:pw@127.0.0.1:1` } }),
    );
    await host.coming('other');
    // Of several servers the first is asked so.
    expect(existsSync(host.shortcut)).toBe(true);
    rmSync(host.shortcut);
    host.configure(config({ nats: { ...config().nats, url: `nats://u:p@127.0.0.1:${proxy.port}` } }));
    await host.coming('other');
    expect(existsSync(host.shortcut)).toBe(false);
    expect((await withoutNode(coming('other'))).stderr).toEqual(nodeWasAsked);
  });

  test('with the XML that was read before it', async () => {
    const agent = await ScriptedAgent.start({
      ...{ url: testServers().nats, prefix, replica: 'db2', script: ['profile', 'warm', 'ready'] },
    });
    const result = await host.coming('other', { xml });
    await agent.stop();
    expect(result).toMatchObject({ status: 0, stdout: '' });
    expect(result.stderr).toContain('guest other: db2 is ready for app1');
  });
});
