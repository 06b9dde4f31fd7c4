import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, JSONCodec } from 'nats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fillAppTables, rowsForTable } from '../../src/lab/app-data.ts';
import { startAppVm } from '../../src/lab/app-vm.ts';
import { type LimitedDisk, limitDisk } from '../../src/lab/disk.ts';
import { startNats } from '../../src/lab/nats-server.ts';
import { dropOsCache, residentBytes } from '../../src/lab/os-cache.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { limitPageCache } from '../../src/lab/page-cache-limit.ts';
import { type PostgresCluster, startPostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { run } from '../../src/lab/run.ts';
import { expectNoSessions, testServers, waitForReplay, withClient } from './servers.ts';

describe('the shared servers', () => {
  test('both standbys follow the same primary', async () => {
    const { postgres } = testServers();
    await withClient(postgres.primary, (client) =>
      client.query('CREATE TABLE lab_seen AS SELECT 42 AS value'),
    );
    try {
      await waitForReplay();
      for (const url of [postgres.db1, postgres.db2]) {
        await withClient(url, async (client) => {
          const { rows } = await client.query('SELECT value, pg_is_in_recovery() AS standby FROM lab_seen');
          expect(rows).toEqual([{ value: 42, standby: true }]);
        });
      }
    } finally {
      await withClient(postgres.primary, (client) => client.query('DROP TABLE lab_seen'));
    }
  });
});

describe('servers of its own', () => {
  const owned = new OwnedProcesses({ handleSignals: false });
  const rowCount = rowsForTable(40);
  let cluster: PostgresCluster;

  beforeAll(async () => {
    cluster = await startPostgresCluster({
      owned,
      replicas: ['db1', 'db2'],
      settings: { shared_buffers: '16MB' },
      serverSettings: { primary: { wal_level: 'logical' }, db2: { work_mem: '7MB' } },
      load: (client) => fillAppTables(client, [{ name: 'items', rowCount }]),
    });
    await cluster.addRole('app1');
  });
  afterAll(() => owned.dispose());

  test('loaded rows and settings are where they belong', async () => {
    for (const server of cluster.servers) {
      const [row] = await server.query('SELECT count(*)::int AS rows, max(id)::int AS last FROM items');
      expect(row).toEqual({ rows: rowCount, last: rowCount });
    }
    const show = async (name: string) => (await cluster.server(name).query('SHOW work_mem'))[0];
    expect(await show('db1')).toEqual({ work_mem: '4MB' });
    expect(await show('db2')).toEqual({ work_mem: '7MB' });
    expect(await cluster.primary.query('SHOW wal_level')).toEqual([{ wal_level: 'logical' }]);
    const identify = 'SELECT system_identifier::text AS id FROM pg_control_system()';
    expect(await cluster.server('db1').query(identify)).toEqual(await cluster.primary.query(identify));
  });

  test('a standby that was killed starts again on its port and catches up', async () => {
    const db1 = cluster.server('db1');
    const port = db1.port;
    const children = db1.pids;
    await db1.kill();
    expect(db1.pid).toBeUndefined();
    for (const pid of children) expect(runningCommand(pid)).not.toContain('postgres');
    await cluster.primary.query('CREATE TABLE while_down AS SELECT 1 AS one');
    await db1.start();
    await cluster.waitForReplay();
    expect(db1.port).toBe(port);
    expect(await db1.query('SELECT one FROM while_down', [], { role: 'app1' })).toEqual([{ one: 1 }]);
  });

  test('a logical replica has the rows, and is another system', async () => {
    await cluster.primary.query('CREATE TABLE followed (id int PRIMARY KEY)');
    await cluster.primary.query('INSERT INTO followed SELECT generate_series(1, 500)');
    const schema = 'CREATE TABLE followed (id int PRIMARY KEY)';
    const publication = 'CREATE PUBLICATION only_followed FOR TABLE followed';
    await cluster.primary.query(publication);
    const logical = await cluster.startLogicalReplica('log1', { schema, publication: 'only_followed' });
    const count = 'SELECT count(*)::int AS rows FROM followed';
    expect(await logical.query(count)).toEqual([{ rows: 500 }]);
    await cluster.primary.query('INSERT INTO followed VALUES (501)');
    await expect.poll(() => logical.query(count), { timeout: 10_000 }).toEqual([{ rows: 501 }]);
    const identify = 'SELECT system_identifier::text AS id FROM pg_control_system()';
    expect(await logical.query(identify)).not.toEqual(await cluster.primary.query(identify));
    await logical.stop();
  });

  test('dropping the OS cache takes a stopped server out of it', async ({ skip }) => {
    const db2 = cluster.server('db2');
    await db2.query('SELECT count(filler) FROM items');
    await db2.stop();
    const before = await residentBytes(db2.dataDir);
    if (before === undefined) {
      await db2.start();
      skip('fincore is not installed');
    }
    expect(before).toBeGreaterThan(40 * 2 ** 20);
    await dropOsCache(db2.dataDir);
    expect(await residentBytes(db2.dataDir)).toBeLessThan(2 ** 20);
    await db2.start();
  });

  test('a limited disk counts what a cold server reads', async ({ skip }) => {
    const db2 = cluster.server('db2');
    await db2.stop();
    await dropOsCache(db2.dataDir);
    await db2.start();
    const disk: LimitedDisk = await limitDisk({ owned, profile: 'gp3', pids: db2.pids, dir: db2.dataDir });
    if (!disk.throttled) skip(disk.reason);
    const before = disk.counters();
    await db2.query('SELECT count(filler) FROM items');
    const after = disk.counters();
    const [size] = await db2.query<{ bytes: number }>(`SELECT pg_relation_size('items')::int AS bytes`);
    const readBytes = (after?.bytes ?? 0) - (before?.bytes ?? 0);
    // Only what the restart had read already is missing; read-ahead and catalogues come on top.
    expect(readBytes).toBeGreaterThan((size?.bytes ?? 0) * 0.9);
    expect(readBytes).toBeLessThan((size?.bytes ?? 0) * 1.5);
    expect(after?.operations).toBeGreaterThan(before?.operations ?? 0);
    await disk.release();
    expect(disk.counters()).toBeUndefined();
  });

  test('reads are counted on a disk that was never given a limit', async ({ skip, onTestFinished }) => {
    const dir = mkdtempSync(join(tmpdir(), 'forewarm-disk-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const [image, mounted] = [join(dir, 'image'), join(dir, 'mounted')];
    mkdirSync(mounted);
    writeFileSync(image, '');
    truncateSync(image, 64 * 2 ** 20);
    try {
      await run('mkfs.ext4', ['-q', image]);
      await run('mount', ['-o', 'loop', image, mounted]);
    } catch (error) {
      skip(`no disk of its own: ${(error as Error).message}`);
    }
    onTestFinished(() => run('umount', [mounted]).then(() => undefined));
    const file = join(mounted, 'file');
    writeFileSync(file, Buffer.alloc(8 * 2 ** 20, 1));
    await dropOsCache(mounted);
    const reader = spawn('sh', ['-c', 'read go && cat "$0" > /dev/null', file]);
    onTestFinished(() => void reader.kill('SIGKILL'));
    const disk = await limitDisk({ owned, profile: 'none', pids: [reader.pid!], dir: mounted });
    onTestFinished(() => disk.release());
    if (disk.counters() === undefined) skip(disk.reason);
    reader.stdin.end('\n');
    await once(reader, 'exit');
    expect(disk.throttled).toBe(false);
    expect(disk.counters()?.bytes).toBeGreaterThanOrEqual(8 * 2 ** 20);
  });

  test('a control group that a crashed run has left is removed, one of a living run is not', async ({
    skip,
  }) => {
    const first = await limitDisk({ owned, profile: 'none', pids: [], dir: cluster.primary.dataDir });
    if (first.counters() === undefined) skip(first.reason);
    const [root] = ['/sys/fs/cgroup/blkio', '/sys/fs/cgroup'].filter((path) =>
      existsSync(`${path}/cgroup.procs`),
    );
    // No process has begun at tick 0 of the boot with the highest pid.
    const stale = `${root}/forewarm-4194303-0-1`;
    mkdirSync(stale);
    const second = await limitDisk({ owned, profile: 'none', pids: [], dir: cluster.primary.dataDir });
    expect(existsSync(stale)).toBe(false);
    expect(first.counters()).toEqual({ bytes: 0, operations: 0 });
    await Promise.all([first.release(), second.release()]);
  });

  test('a server whose page cache is held reads its table again from the disk, and is let go unharmed', async ({
    skip,
  }) => {
    const db2 = cluster.server('db2');
    const disk = await limitDisk({ owned, profile: 'none', pids: db2.pids, dir: db2.dataDir });
    const pageCache = await limitPageCache({ owned, pids: db2.pids, disk });
    if (!pageCache.limited || disk.counters() === undefined) skip(pageCache.reason ?? disk.reason);
    await dropOsCache(db2.dataDir);
    const scan = async () => {
      const before = disk.counters()?.bytes ?? 0;
      await db2.query('SELECT count(filler) FROM items');
      return (disk.counters()?.bytes ?? 0) - before;
    };
    await scan();
    // What was read into the page cache before counts for nobody here.
    expect(await scan()).toBeLessThan(10 * 2 ** 20);
    pageCache.hold(8 * 2 ** 20);
    const held = [await scan(), await scan()];
    for (const bytes of held) expect(bytes).toBeGreaterThan(20 * 2 ** 20);
    pageCache.letGo();
    await scan();
    expect(await scan()).toBeLessThan(10 * 2 ** 20);
    await pageCache.release();
    await disk.release();
    expect(await db2.query('SELECT count(*)::int AS rows FROM items')).toEqual([{ rows: rowCount }]);
  });

  test('an application moves between servers without a failed read, and leaves nothing open', async () => {
    const [db1, db2] = [cluster.server('db1'), cluster.server('db2')];
    const shape = { rowCount, seed: 7 };
    const vm = await startAppVm(owned, { vm: 'app1', dsn: db1.url(), table: 'items', shape, clientCount: 4 });
    vm.measure([{ name: 'before', forMs: 400 }]);
    expect((await vm.measured('before')).transactions).toBeGreaterThan(0);
    await vm.switchTo(db2.url(), [{ name: 'after', forMs: 400 }]);
    await expectNoSessions(db1.url(), 'app1');
    const after = await vm.measured('after');
    expect(after.transactions).toBeGreaterThan(0);
    expect(after.p99Ms).toBeGreaterThanOrEqual(after.p50Ms);
    const sessions = `SELECT count(*)::int AS open FROM pg_stat_activity WHERE usename = 'app1' AND application_name = 'app1'`;
    expect(await db2.query(sessions)).toEqual([{ open: 4 }]);
    await vm.stop();
    expect([vm.failedQueries, vm.errors]).toEqual([0, []]);
    await expectNoSessions(db2.url(), 'app1');
  });

  test('an application reads on after its server crashed and came back', async () => {
    const db1 = cluster.server('db1');
    const shape = { rowCount, seed: 8 };
    const vm = await startAppVm(owned, {
      vm: 'app1',
      dsn: db1.url(),
      table: 'items',
      shape,
      clientCount: 2,
      maxTps: 200,
    });
    await db1.kill();
    await expect.poll(() => vm.failedQueries, { timeout: 10_000 }).toBeGreaterThan(0);
    await db1.start();
    await expect.poll(() => vm.samples.at(-1)?.transactions, { timeout: 10_000 }).toBeGreaterThan(0);
    await vm.stop();
  });

  test('NATS keeps a stream over a restart and over a crash', async () => {
    const nats = await startNats({ owned, config: 'max_payload: 2MB' });
    const codec = JSONCodec<{ n: number }>();
    const url = nats.url;
    const publish = async (n: number) => {
      const connection = await connect({ servers: url });
      try {
        expect(connection.info?.max_payload).toBe(2 << 20);
        const manager = await connection.jetstreamManager();
        await manager.streams.add({ name: 'KEPT', subjects: ['kept.>'] });
        await connection.jetstream().publish('kept.a', codec.encode({ n }));
        return (await manager.streams.info('KEPT')).state.messages;
      } finally {
        await connection.close();
      }
    };
    expect(await publish(1)).toBe(1);
    await nats.restart();
    expect(await publish(2)).toBe(2);
    await nats.kill();
    await nats.start();
    expect(nats.url).toBe(url);
    expect(await publish(3)).toBe(3);
    await nats.stop();
  });
});

/** The command line of a process, empty when it has ended. */
function runningCommand(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
