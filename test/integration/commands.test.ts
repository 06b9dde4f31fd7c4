import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectBroker } from '../../src/broker/broker.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { Trigger } from '../../src/migration/transitions.ts';
import { RunningCommand } from './forewarm-cli.ts';
import { ScriptedAgent, type ScriptedAgentOptions } from './scripted-agent.ts';
import { testServers } from './servers.ts';

const prefix = `cmd${process.pid}`;
const url = () => testServers().nats;
const folder = mkdtempSync(join(tmpdir(), 'forewarm-commands-'));
const agents: ScriptedAgent[] = [];
const goodScript: readonly Trigger[] = ['profile', 'warm', 'ready'];

const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  new RunningCommand(args, { FOREWARM_NATS_URL: url(), FOREWARM_NATS_PREFIX: prefix, ...env });

const forewarm = (...args: readonly string[]) => start(args).end;

async function agent(options: Partial<ScriptedAgentOptions> & { replica: string }): Promise<ScriptedAgent> {
  const started = await ScriptedAgent.start({ url: url(), prefix, script: goodScript, ...options });
  agents.push(started);
  return started;
}

async function json(...args: readonly string[]) {
  const { status, stdout, stderr } = await forewarm(...args, '--json');
  const progress = /^forewarm: (migration \S+: \S+ to|accepted|profiling|warming|ready).*\n/gm;
  expect(stderr.replaceAll(progress, '')).toBe('');
  return { status, result: JSON.parse(stdout) };
}

async function routeOf(vm: string) {
  return (await json('route', 'get', vm)).result;
}

beforeAll(async () => {
  // The first connection makes the stream and the buckets.
  await (await agent({ replica: 'first' })).stop();
  agents.length = 0;
});

afterEach(async () => {
  for (const started of agents.splice(0)) await started.stop();
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  const connection = await connect({ servers: url() });
  const manager = await connection.jetstreamManager();
  for await (const { config } of manager.streams.list()) {
    if (config.name === prefix.toUpperCase() || config.name.startsWith(`KV_${prefix}_`)) {
      await manager.streams.delete(config.name);
    }
  }
  await connection.close();
});

describe('migrate', () => {
  test('returns when the target is ready', async () => {
    const db2 = await agent({ replica: 'db2' });
    const { status, result } = await json('migrate', '--vm', 'vmReady', '--to', 'db2', '--id', 'm-ready');
    expect(status).toBe(0);
    expect(result).toMatchObject({
      id: 'm-ready',
      target: 'db2',
      outcome: 'ready',
      record: { residency: 1 },
    });
    expect(db2.states).toEqual(['accepted', 'profiling', 'warming', 'ready']);
  });

  test('exits with 3 at the deadline, and says what the target waits for', async () => {
    await agent({ replica: 'db2', script: ['profile', 'warm'], waitsFor: 'the replica does not replay' });
    const { status, stdout, stderr } = await forewarm(
      ...['migrate', '--vm', 'vmLate', '--to', 'db2', '--deadline', '1500ms'],
    );
    expect(status).toBe(3);
    expect(stdout).toMatch(
      /^db2 is not ready for vmLate after .*, 40\.0 % of the plan resident \(the replica does not replay\); go on/,
    );
    expect(stderr).toMatch(/warming, 3\.3 MB of 8\.2 MB/);
  });

  test('runs the command, says arrived and sets the route', async () => {
    const db2 = await agent({ replica: 'db2' });
    const file = join(folder, 'ran');
    const args = [
      'migrate',
      '--vm',
      'vmRun',
      '--to',
      'db2',
      '--id',
      'm-run',
      '--',
      'sh',
      '-c',
      `echo yes > ${file}`,
    ];
    const { status, stderr } = await forewarm(...args);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(readFileSync(file, 'utf8')).toBe('yes\n');
    await expect.poll(() => db2.states.at(-1)).toBe('arrived');
    expect(await routeOf('vmRun')).toMatchObject({ replica: 'db2', epoch: 1, migration: 'm-run' });
  });

  test("passes on the command's failure, aborts, and leaves the route", async () => {
    const db2 = await agent({ replica: 'db2' });
    const run = (script: string) =>
      forewarm('migrate', '--vm', 'vmFail', '--to', 'db2', '--', 'sh', '-c', script);
    expect((await run('exit 42')).status).toBe(42);
    await expect.poll(() => db2.states.at(-1)).toBe('aborted');
    expect((await run('kill -9 $$')).status).toBe(137);
    expect(
      (await forewarm('migrate', '--vm', 'vmFail', '--to', 'db2', '--', '/no/such/command')).status,
    ).toBe(127);
    expect((await forewarm('route', 'get', 'vmFail')).status).toBe(1);
  });

  test('an unknown target is an error that names those at hand', async () => {
    await agent({ replica: 'db2' });
    const { status, stdout, stderr } = await forewarm('migrate', '--vm', 'vmX', '--to', 'db9', '--json');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'replica_unknown', message: 'no agent answers for replica db9; db2 is at hand' },
    });
  });

  test('with the agent of a known target dead, the command runs all the same and the route follows', async () => {
    const broker = await connectBroker({ url: url(), prefix, name: 'test', logger: silentLogger });
    const at = new Date().toISOString();
    await broker.devices.put('db3', { v: 1, at, operationMs: 1, byteMs: 1e-5, weight: 1 });
    await broker.close();
    const { status, stderr } = await forewarm('migrate', '--vm', 'vmDead', '--to', 'db3', '--', 'true');
    expect(status).toBe(0);
    expect(stderr).toMatch(/no agent answers for replica db3.*going on without warming/);
    expect(await routeOf('vmDead')).toMatchObject({ replica: 'db3' });
  });

  test('a target that nobody ever saw does not become a route, and the command runs all the same', async () => {
    const { status, stderr } = await forewarm('migrate', '--vm', 'vmTypo', '--to', 'bd3', '--', 'true');
    expect(status).toBe(0);
    expect(stderr).toContain('no replica bd3 was ever seen, so the route of vmTypo stays as it is');
    expect((await forewarm('route', 'get', 'vmTypo')).status).toBe(1);
  });

  test('without NATS the command runs all the same', async () => {
    const args = ['migrate', '--vm', 'vmNone', '--to', 'db2', '--deadline', '1s', '--', 'sh', '-c', 'exit 7'];
    const { status, stderr } = await start(args, { FOREWARM_NATS_URL: 'nats://127.0.0.1:1' }).end;
    expect(status).toBe(7);
    expect(stderr).toMatch(/does not answer.*going on without warming/);
    expect((await start(args.slice(0, 7), { FOREWARM_NATS_URL: 'nats://127.0.0.1:1' }).end).status).toBe(1);
  });

  test('a NATS that accepts and never answers is not waited for beyond the deadline', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = silent.address() as AddressInfo;
      const env = { FOREWARM_NATS_URL: `nats://127.0.0.1:${port}`, FOREWARM_NATS_TIMEOUT: '1h' };
      const args = ['migrate', '--vm', 'vmMute', '--to', 'db2', '--deadline', '500ms', '--', 'true'];
      const { status, stderr } = await start(args, env).end;
      expect(status).toBe(0);
      expect(stderr).toContain('going on without warming');
      expect(stderr).toContain('run `forewarm arrive --vm vmMute --to db2`');
    } finally {
      silent.close();
    }
  });

  test('with a broken configuration the command runs all the same', async () => {
    const args = [
      'migrate',
      '--vm',
      'vmConf',
      '--to',
      'db2',
      '--config',
      join(folder, 'none.yaml'),
      '--',
      'true',
    ];
    const { status, stderr } = await forewarm(...args);
    expect(status).toBe(0);
    expect(stderr).toMatch(/none\.yaml: is not there; going on without warming/);
  });

  test('a failed migration is an error with its code', async () => {
    await agent({ replica: 'db2', script: ['profile', 'fail'] });
    const { status, stderr } = await forewarm('migrate', '--vm', 'vmBad', '--to', 'db2', '--id', 'm-bad');
    expect(status).toBe(1);
    expect(stderr).toContain('migration m-bad has failed: the script says so');
    expect(stderr).toContain('forewarm history --migration m-bad');
  });

  test('auto takes the best replica besides the source', async () => {
    await agent({ replica: 'db1', estimate: { seconds: 0, fits: true } });
    await agent({ replica: 'db2', estimate: { seconds: 9, fits: true } });
    await agent({ replica: 'db3', estimate: { seconds: 4, fits: true } });
    await agent({ replica: 'db4', estimate: { seconds: 1, fits: true, reason: 'cannot warm' } });
    const { status, result } = await json('migrate', '--vm', 'vmAuto', '--from', 'db1', '--to', 'auto');
    expect(status).toBe(0);
    expect(result.target).toBe('db3');
    const { result: estimated } = await json('estimate', '--vm', 'vmAuto', '--from', 'db1');
    expect(estimated.estimates.map((row: { replica: string }) => row.replica)).toEqual(['db3', 'db2', 'db4']);
  });

  test('SIGINT without a terminal leaves the warming and does not run the command', async () => {
    const db2 = await agent({ replica: 'db2', script: ['profile', 'warm'] });
    const file = join(folder, 'not-run');
    const running = start(['migrate', '--vm', 'vmInt', '--to', 'db2', '--id', 'm-int', '--', 'touch', file]);
    await expect.poll(() => running.stderr, { timeout: 10_000 }).toContain('warming');
    running.child.kill('SIGINT');
    const { status, stderr } = await running.end;
    expect(status).toBe(130);
    expect(stderr).toContain('db2 goes on warming (`forewarm abort --migration m-int` ends it)');
    expect(() => readFileSync(file)).toThrow('ENOENT');
    expect((await json('abort', '--vm', 'vmInt')).result).toMatchObject({
      migration: 'm-int',
      state: 'aborted',
    });
    await expect.poll(() => db2.states.at(-1)).toBe('aborted');
    expect((await json('abort', '--vm', 'vmInt')).status).toBe(0);
    expect((await forewarm('arrive', '--vm', 'vmInt')).stderr).toContain(
      'migration m-int of vmInt was aborted',
    );
  });

  test('names are checked before anything is sent', async () => {
    for (const name of ["a'; DROP TABLE x", 'a.b', '*', '>', 'a b', '']) {
      const { status, stderr } = await forewarm('migrate', `--vm=${name}`, '--to', 'db2', '--json');
      expect({ status, code: JSON.parse(stderr).error.code }).toEqual({ status: 2, code: 'name_invalid' });
    }
  });
});

describe('arrive, route, status, history, profile', () => {
  test('an arrival sets the route also when the agent is gone, and once', async () => {
    const db2 = await agent({ replica: 'db2' });
    await forewarm('migrate', '--vm', 'vmGone', '--to', 'db2', '--id', 'm-gone');
    agents.length = 0;
    await db2.stop();
    const first = await json('arrive', '--vm', 'vmGone');
    expect(first.result).toMatchObject({ migration: 'm-gone', route: { replica: 'db2', epoch: 1 } });
    expect((await json('arrive', '--migration', 'm-gone')).result.route.epoch).toBe(1);
    expect((await forewarm('arrive', '--vm', 'neverSeen')).status).toBe(1);
  });

  test('an arrival that is told again leaves the route where it was led since', async () => {
    await agent({ replica: 'db2' });
    await forewarm('migrate', '--vm', 'vmAgain', '--to', 'db2', '--id', 'm-again');
    expect((await json('arrive', '--vm', 'vmAgain')).result.route).toMatchObject({
      replica: 'db2',
      epoch: 1,
    });
    const isTold = async () => {
      const { result } = await json('status', '--all');
      const mine = result.migrations.find(({ id }: { id: string }) => id === 'm-again');
      expect(mine.arrivedAt).toBeDefined();
    };
    await vi.waitFor(isTold, { timeout: 10_000, interval: 200 });
    await forewarm('route', 'set', 'vmAgain', 'db1');
    for (const by of [
      ['--vm', 'vmAgain'],
      ['--migration', 'm-again'],
    ]) {
      expect((await json('arrive', ...by)).result.route).toMatchObject({ replica: 'db1', epoch: 2 });
    }
    // Where the VM reads now, whatever migrations there were.
    expect((await json('arrive', '--vm', 'vmAgain', '--to', 'db2')).result.route).toMatchObject({
      replica: 'db2',
      epoch: 3,
    });
    const wrong = await forewarm('arrive', '--vm', 'vmAgain', '--migration', 'm-again', '--to', 'db1');
    expect(wrong.status).not.toBe(0);
    expect(wrong.stderr).toContain('migration m-again leads to db2, not to db1');
  });

  test('routes rise by one epoch with each change', async () => {
    await agent({ replica: 'db2' });
    const set = (to: string) => forewarm('route', 'set', 'vmRoute', to, '--json');
    expect(JSON.parse((await set('db1')).stdout)).toMatchObject({ replica: 'db1', epoch: 1 });
    const second = await forewarm('route', 'set', '--vm', 'vmRoute', '--to', 'db2', '--json');
    expect(second.stderr).toBe('');
    expect(JSON.parse(second.stdout)).toMatchObject({ replica: 'db2', epoch: 2 });
    expect(JSON.parse((await set('db2')).stdout).epoch).toBe(2);
    const { result } = await json('route', 'list');
    expect(result).toContainEqual(expect.objectContaining({ vm: 'vmRoute', replica: 'db2', epoch: 2 }));
  });

  test('a route can be deleted, and its epoch goes on when it is set again', async () => {
    await agent({ replica: 'db2' });
    await forewarm('route', 'set', 'vmGone', 'db1');
    await forewarm('route', 'set', 'vmGone', 'db2');
    expect((await json('route', 'delete', 'vmGone')).result).toEqual({ vm: 'vmGone', deleted: true });
    expect((await forewarm('route', 'get', 'vmGone')).stderr).toContain('VM vmGone has no route');
    expect((await forewarm('route', 'delete', 'vmGone')).stdout).toBe('vmGone had no route\n');
    const { stdout } = await forewarm('route', 'set', 'vmGone', 'db2', '--json');
    expect(JSON.parse(stdout).epoch).toBeGreaterThan(2);
  });

  test('status shows replicas, migrations and routes', async () => {
    await agent({ replica: 'db2' });
    await forewarm('migrate', '--vm', 'vmStat', '--to', 'db2', '--id', 'm-stat');
    const { result } = await json('status');
    expect(result.replicas).toMatchObject([{ replica: 'db2', canWarm: true }]);
    expect(result.migrations).toContainEqual(expect.objectContaining({ id: 'm-stat', state: 'ready' }));
    const { stdout } = await forewarm('status');
    expect(stdout).toMatch(/^db2 +postgres 18\.4 .* yes /m);
    expect(stdout).toMatch(/^m-stat +vmStat +db1 → db2 +ready +8\.2 MB +100\.0 % +met/m);
    const { result: told } = await json('history', '--vm', 'vmStat');
    const states = told.events.map((event: { state: string }) => event.state);
    expect(states).toEqual(['accepted', 'profiling', 'warming', 'ready']);
    expect((await forewarm('history', '--migration', 'm-nothing')).status).toBe(1);
  });

  test('status --watch ends in order', async () => {
    const running = start(['status', '--watch', '--json']);
    await expect.poll(() => running.stdout, { timeout: 10_000 }).toContain('\n');
    running.child.kill('SIGINT');
    expect((await running.end).status).toBe(0);
    expect(Array.isArray(JSON.parse(running.stdout.split('\n')[0]!).routes)).toBe(true);
  });

  test('a profile shows shares, residency and what is not explained', async () => {
    await agent({ replica: 'db1' });
    const { stdout } = await forewarm('profile', '--vm', 'app1', '--replica', 'db1');
    expect(stdout).toMatch(/^app: public\.items +table +100\.0 % +49 kB +3 +2 +1 +0 +0 +2$/m);
    expect(stdout).toContain('not explained: 25.0 %');
  });
});

describe('doctor', () => {
  test('names every fault of database and NATS at once', async () => {
    const file = join(folder, 'agent.yaml');
    writeFileSync(file, 'replica: db1\ndatabase: { url: "postgres://x:hunter2@127.0.0.1:1/app" }\n');
    const { status, stdout, stderr } = await start(['doctor', '--config', file, '--json'], {
      FOREWARM_NATS_URL: 'nats://127.0.0.1:1',
    }).end;
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    const { findings } = JSON.parse(stdout);
    const faults = findings.filter((finding: { level: string }) => finding.level === 'fault');
    expect(faults.some((fault: { message: string }) => /NATS .* does not answer/.test(fault.message))).toBe(
      true,
    );
    expect(faults.length).toBeGreaterThanOrEqual(2);
    expect(stdout).not.toContain('hunter2');
  });

  test('names every fault of the file at once', async () => {
    const file = join(folder, 'broken.yaml');
    writeFileSync(file, 'replica: db.1\nnats: { urll: x }\n');
    const { status, stdout } = await forewarm('doctor', '--config', file);
    expect(status).toBe(2);
    expect(stdout).toContain(`${file}:1:10: replica must be 1 to 64`);
    expect(stdout).toContain(`${file}:2:9: nats.urll is no known option; did you mean nats.url?`);
    expect(stdout).toContain('database.url is missing');
  });
});
