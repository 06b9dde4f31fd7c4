import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { type NatsServer, startNats } from '../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { RunningCommand } from './forewarm-cli.ts';

/** `forewarm route watch` as a process, on a NATS of its own that is killed. */

const owned = new OwnedProcesses({ handleSignals: false });
const running: RunningCommand[] = [];
const replicas = '{ db1: { host: 10.0.0.11, port: 5432 }, db2: { host: 10.0.0.12, port: 5432 } }';
let nats: NatsServer;
/** Each attempt at a test has its own buckets and files. */
let broker: Broker;
let folder: string;

function watch(vm: string, ...args: string[]): RunningCommand {
  const command = new RunningCommand(['route', 'watch', vm, ...args], {
    FOREWARM_NATS_URL: nats.url,
    FOREWARM_NATS_PREFIX: broker.subjects.stream.toLowerCase(),
    FOREWARM_NATS_TIMEOUT: '1s',
    FOREWARM_REPLICAS: replicas,
  });
  running.push(command);
  return command;
}

const path = (name: string) => join(folder, name);
const content = (name: string) => (existsSync(path(name)) ? readFileSync(path(name), 'utf8') : '');
const lines = (name: string) => content(name).split('\n').filter(Boolean);
const set = (vm: string, replica: string) => broker.routes.set(vm, { replica });
const patience = { timeout: 25_000 };

beforeAll(async () => {
  nats = await startNats({ owned });
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'forewarm-watch-'));
  const prefix = `watch${Date.now()}`;
  broker = await connectBroker({ url: nats.url, prefix, name: 'test', logger: silentLogger });
});

afterEach(async () => {
  for (const command of running.splice(0)) if (command.child.exitCode === null) await command.stop('SIGKILL');
  await broker.close();
  rmSync(folder, { recursive: true, force: true });
});

afterAll(() => owned.dispose());

describe('route watch', () => {
  test('prints each change, as lines and as JSON lines', async () => {
    const [text, json] = [watch('vmPrint'), watch('vmPrint', '--json')];
    for (const one of [text, json])
      await expect.poll(() => one.stderr, patience).toContain('VM vmPrint has no route yet');
    await set('vmPrint', 'db1');
    await expect.poll(() => text.stdout, patience).toMatch(/^vmPrint: db1, epoch 1, since .*Z\n$/);
    await set('vmPrint', 'db2');
    await expect.poll(() => text.stdout, patience).toMatch(/\nvmPrint: db2, epoch 2, .*\n$/);
    await expect.poll(() => json.stdout.split('\n').length, patience).toBe(3);
    expect(
      json.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { vm: 'vmPrint', replica: 'db1', epoch: 1 },
      { vm: 'vmPrint', replica: 'db2', epoch: 2 },
    ]);
    expect((await text.stop('SIGINT')).status).toBe(0);
    expect((await json.stop('SIGTERM')).status).toBe(0);
  });

  test('writes a file, then tells a command of each epoch', async () => {
    const script = `echo "$ROUTE_VM $ROUTE_REPLICA $ROUTE_EPOCH $ROUTE_HOST:$ROUTE_PORT $(cat ${path('dsn')})" >> ${path('told')}`;
    await set('vmFile', 'db1');
    const command = watch(
      'vmFile',
      ...['--write', path('dsn'), '--template', 'host={host} port={port}', '--exec', script],
    );
    await expect
      .poll(() => lines('told'), patience)
      .toEqual(['vmFile db1 1 10.0.0.11:5432 host=10.0.0.11 port=5432']);
    await set('vmFile', 'db2');
    await expect
      .poll(() => lines('told').at(-1), patience)
      .toBe('vmFile db2 2 10.0.0.12:5432 host=10.0.0.12 port=5432');
    await set('vmFile', 'db9');
    await expect
      .poll(() => command.stderr, patience)
      .toContain('--write, epoch 3: replica db9 has no value host');
    expect(content('dsn')).toBe('host=10.0.0.12 port=5432\n');
    await set('vmFile', 'db1');
    await expect.poll(() => lines('told').at(-1), patience).toMatch(/^vmFile db1 4 /);
    expect(lines('told').map((line) => line.split(' ')[2])).toEqual(['1', '2', '3', '4']);
  });

  test('a command that fails or hangs is tried again, and never ends the watcher', async () => {
    const script = [
      `echo $ROUTE_EPOCH >> ${path('tries')}`,
      `n=$(grep -c . ${path('tries')})`,
      '[ $n = 1 ] && exit 3',
      '[ $n = 2 ] && kill -9 $$',
      `[ $n = 3 ] && { sleep 1000 & echo $! > ${path('child')}; wait; }`,
      'exit 0',
    ].join('\n');
    await set('vmExec', 'db1');
    const command = watch('vmExec', '--exec', script, '--exec-timeout', '500ms');
    await expect.poll(() => command.stderr, patience).toContain('--exec, epoch 1: done now');
    expect(command.stderr).toContain('the command ended with status 3; trying again in');
    expect(command.stderr).toContain('the command ended by SIGKILL');
    expect(command.stderr).toContain('the command took longer than 500 ms');
    expect(lines('tries')).toEqual(['1', '1', '1', '1']);
    // What a command has started ends with it.
    await expect.poll(() => existsSync(`/proc/${lines('child')[0]}`), patience).toBe(false);
    await set('vmExec', 'db2');
    await expect.poll(() => lines('tries').at(-1), patience).toBe('2');
  });

  test('a new watcher goes on after the epoch that was done, and makes up for those in between', async () => {
    const args = ['--exec', `echo $ROUTE_EPOCH >> ${path('epochs')}`, '--state', path('state')];
    await set('vmState', 'db1');
    const first = watch('vmState', ...args);
    await expect.poll(() => content('state'), patience).toBe('{"v":1,"vm":"vmState","epoch":1}\n');
    await first.stop('SIGKILL');
    for (const replica of ['db2', 'db1', 'db2']) await set('vmState', replica);
    const second = watch('vmState', ...args);
    await expect.poll(() => lines('epochs'), patience).toEqual(['1', '2', '3', '4']);
    await second.stop();
    const third = watch('vmState', ...args);
    await expect.poll(() => third.stdout, patience).toContain('epoch 4');
    await set('vmState', 'db1');
    await expect.poll(() => lines('epochs'), patience).toEqual(['1', '2', '3', '4', '5']);
    const other = await watch('vmOther', ...args).end;
    expect(other).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('is of VM vmState, not vmOther'),
    });
  });

  test('--once brings all there and exits; without a route it is an error', async () => {
    const once = (...args: string[]) => watch('vmOnce', '--once', '--write', path('once'), ...args).end;
    expect(await once()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('VM vmOnce has no route'),
    });
    await set('vmOnce', 'db2');
    expect(await once('--json')).toMatchObject({ status: 0, stderr: '' });
    expect(content('once')).toBe('db2\n');
    const failing = await once('--exec', 'exit 5');
    expect(failing).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('the command ended with status 5'),
    });
  });

  test('mistakes are told before anything is done', async () => {
    const status = async (...args: string[]) => (await watch('vmBad', ...args).end).status;
    const statuses = await Promise.all([
      status('--write', path('x'), '--template', '{hots}'),
      status('--state', path('x')),
      status('--exec', 'true', '--exec-timeout', 'soon'),
      status('--pgbouncer', path('x'), '--replicas', '{}'),
      status('--replicas', '{ db1: { epoch: 3 } }'),
    ]);
    expect(statuses).toEqual([2, 2, 2, 2, 2]);
    expect(existsSync(path('x'))).toBe(false);
  });
});

describe('NATS away', () => {
  test('all stays as it is; what changed meanwhile is told when it is back', async () => {
    await set('vmAway', 'db1');
    const args = ['--write', path('away'), '--exec', `echo $ROUTE_EPOCH >> ${path('awayEpochs')}`];
    const command = watch('vmAway', ...args);
    await expect.poll(() => lines('awayEpochs'), patience).toEqual(['1']);
    await nats.kill();
    await expect.poll(() => command.stderr, { timeout: 20_000 }).toContain('vmAway stays at db1');
    expect(content('away')).toBe('db1\n');
    const late = watch('vmAway', '--write', path('late'));
    await expect.poll(() => late.stderr, patience).toContain('waiting, and all stays as it is');
    await nats.start();
    await expect.poll(() => set('vmAway', 'db2').then(({ epoch }) => epoch, String), patience).toBe(2);
    await expect.poll(() => content('away'), patience).toBe('db2\n');
    await expect.poll(() => content('late'), patience).toBe('db2\n');
    await expect.poll(() => lines('awayEpochs'), patience).toEqual(['1', '2']);
    expect(command.stderr).toContain('NATS answers again');
  });
});
