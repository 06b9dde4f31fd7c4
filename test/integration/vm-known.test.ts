import { createServer, type Server, type Socket } from 'node:net';
import { connect } from 'nats';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { quickAsk } from '../../src/broker/quick-ask.ts';
import { isVmKnown } from '../../src/broker/vm-known.ts';
import { isVmKnownByLibrary } from '../../src/broker/vm-known-library.ts';
import { freePort } from '../../src/lab/free-port.ts';
import { startNats } from '../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { silentLogger } from '../../src/lib/logger.ts';

/** The quick question and the library's must say the same of a real NATS. */

const owned = new OwnedProcesses({ handleSignals: false });
const users =
  'authorization { users: [ { user: hook, password: "s p\\"e" }, { user: blind, password: b, permissions: { publish: ["none"] } } ] }';
let broker: Broker;
let url: string;
const servers: Server[] = [];

beforeAll(async () => {
  url = (await startNats({ owned, config: users })).url;
  broker = await connectBroker({ ...who, url, name: 'test', logger: silentLogger });
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(async () => {
  await broker?.close();
  await owned.dispose();
});

const who = { user: 'hook', password: 's p"e' };
const at = (where: string) => ({ ...who, url: where, name: 'test', timeoutMs: 2_000 });

async function both(vm: string, options = at(url)): Promise<boolean> {
  const quick = await isVmKnown(options, vm);
  expect(await isVmKnownByLibrary(options, vm)).toBe(quick);
  return quick;
}

test('a VM is known by its route until that is deleted, and by a profile', async () => {
  expect(await both('app1')).toBe(false);
  await broker.routes.set('app1', { replica: 'db1' });
  expect(await both('app1')).toBe(true);
  expect(await both('app')).toBe(false);
  await broker.routes.delete('app1');
  expect(await both('app1')).toBe(false);
  // Far longer than one read of a socket, and whatever stands in it.
  const connection = await connect({ servers: url, user: who.user, pass: who.password });
  const profiles = await connection.jetstream().views.kv('forewarm_profiles');
  await profiles.put('db7.app1', 'x'.repeat(600_000));
  await connection.close();
  expect(await both('app1')).toBe(true);
});

test('nothing is there yet: nobody is known', async () => {
  expect(await both('app1', { ...at(url), prefix: 'nowhere' } as never)).toBe(false);
});

test('of several servers one that is away is passed over', async () => {
  await broker.routes.set('app2', { replica: 'db1' });
  expect(await both('app2', at(`nats://127.0.0.1:${await freePort()}, ${url}`))).toBe(true);
});

test.each([
  ['a wrong password', { user: 'hook', password: 'wrong' }, 'broker_denied'],
  ['a subject that is denied', { user: 'blind', password: 'b' }, undefined],
])('%s is an error, never a stranger', async (_, identity, code) => {
  const asked = isVmKnown({ ...at(url), ...identity, timeoutMs: 1_000 }, 'app1');
  await expect(asked).rejects.toMatchObject(code === undefined ? { name: 'ForewarmError' } : { code });
});

test('a server that is away is an error', async () => {
  await expect(isVmKnown(at(`nats://127.0.0.1:${await freePort()}`), 'app1')).rejects.toMatchObject({
    code: 'broker_unreachable',
  });
});

/** Says what it is told to whoever connects; not a NATS. */
async function saying(...pieces: readonly string[]): Promise<number> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    for (const piece of pieces) socket.write(piece);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

test.each([
  ['nothing', []],
  ['another protocol', ['220 mail.example ESMTP\r\n']],
  ['a demand for TLS', ['INFO {"tls_required":true}\r\n']],
  ['an error', ['INFO {}\r\n', "-ERR 'Authorization Violation'\r\n"]],
  ['a half message', ['INFO {}\r\n', 'MSG _INBOX.x.0 1 99\r\n{"err']],
  ['a message without a length', ['INFO {}\r\n', 'MSG\r\n']],
  ['no JSON', ['INFO {\r\n']],
])('a server that says %s gives no answer', async (_, pieces) => {
  const server = { host: '127.0.0.1', port: await saying(...pieces) };
  const asked = quickAsk(server, [{ subject: 'a', body: '{}' }], { name: 'test', timeoutMs: 300 });
  expect(await asked).toBeUndefined();
});
