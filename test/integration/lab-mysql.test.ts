import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { locateMysql } from '../../src/lab/mysql-binaries.ts';
import { type MysqlCluster, startMysqlCluster } from '../../src/lab/mysql-cluster.ts';
import type { MysqlKind } from '../../src/lab/mysql-kinds.ts';
import type { MysqlServer } from '../../src/lab/mysql-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';

describe.each<MysqlKind>(['mariadb', 'mysql'])('%s', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  const rowCount = 2_000;
  let cluster: MysqlCluster | undefined;
  let missing = '';

  beforeAll(async () => {
    const binaries = await locateMysql(kind).catch((error: Error & { hint?: string }) => {
      missing = `${error.message}. ${error.hint ?? ''}`;
    });
    if (!binaries) return;
    cluster = await startMysqlCluster({
      owned,
      kind,
      replicas: ['db1'],
      settings: { innodb_buffer_pool_size: '32M' },
      serverSettings: { db1: { innodb_old_blocks_time: 700 } },
      load: (connection) => fillItems(connection, rowCount),
    });
    await cluster.addUser('app1');
  }, 600_000);
  afterAll(() => owned.dispose());

  function started(skip: (note: string) => void): MysqlCluster {
    if (cluster === undefined) skip(missing);
    return cluster!;
  }

  test('loaded rows and settings are where they belong', async ({ skip }) => {
    const lab = started(skip);
    const { primary, servers, binaries } = lab;
    for (const server of servers) {
      expect(await count(server)).toBe(rowCount);
      const [row] = await server.query(
        `SELECT @@version AS version, @@innodb_buffer_pool_size AS pool, @@bind_address AS address,
           @@performance_schema AS watched, @@innodb_flush_method AS flush`,
      );
      expect(row).toMatchObject({ pool: 32 << 20, address: '127.0.0.1', watched: 1, flush: 'O_DIRECT' });
      expect(row?.['version']).toContain(binaries.version);
    }
    const oldBlocks = async (name: string) =>
      (await lab.server(name).query('SELECT @@innodb_old_blocks_time AS ms'))[0];
    expect(await oldBlocks('primary')).toEqual({ ms: 1_000 });
    expect(await oldBlocks('db1')).toEqual({ ms: 700 });
    const connection = await primary.connect({ user: 'app1', programName: 'app1' });
    try {
      const names = await primary.query(
        `SELECT ATTR_VALUE AS name FROM performance_schema.session_connect_attrs
         WHERE ATTR_NAME = 'program_name' AND PROCESSLIST_ID = ?`,
        [connection.threadId],
      );
      expect(names).toEqual([{ name: 'app1' }]);
    } finally {
      await connection.end();
    }
  });

  test('statements of a session are kept where an agent can see them', async ({ skip }) => {
    const { primary } = started(skip);
    const connection = await primary.connect();
    try {
      await connection.query('SELECT max(id) FROM items WHERE id < 77');
      const [rows] = await connection.query(
        `SELECT SQL_TEXT AS text FROM performance_schema.events_statements_history AS h
         JOIN performance_schema.threads AS t USING (THREAD_ID)
         WHERE t.PROCESSLIST_ID = CONNECTION_ID() AND SQL_TEXT LIKE '%items%'`,
      );
      expect(rows).toEqual([{ text: 'SELECT max(id) FROM items WHERE id < 77' }]);
    } finally {
      await connection.end();
    }
  });

  test('a replica takes no writes of an ordinary user, and applies the primary’s', async ({ skip }) => {
    const lab = started(skip);
    const { primary } = lab;
    const insert = 'INSERT INTO items (id, filler) VALUES (?, ?)';
    const readOnly = { errno: 1290 };
    await expect(lab.server('db1').query(insert, [0, 'x'], { user: 'app1' })).rejects.toMatchObject(readOnly);
    await primary.query(insert, [0, 'x'], { user: 'app1' });
    await lab.waitForReplicas();
    expect(await lab.server('db1').query('SELECT filler FROM items WHERE id = 0')).toEqual([{ filler: 'x' }]);
    await primary.query('DELETE FROM items WHERE id = 0');
  });

  test('a physical copy is another server with the same pages, and follows', async ({ skip }) => {
    const lab = started(skip);
    const { primary } = lab;
    const port = primary.port;
    const copy = await lab.addReplica('db2', { origin: 'physical' });
    expect(primary.port).toBe(port);
    expect(await copy.query(identity[kind])).not.toEqual(await primary.query(identity[kind]));
    await primary.query(`INSERT INTO items SELECT max(id) + 1, 'late' FROM items`);
    await lab.waitForReplicas();
    expect(await count(copy)).toBe(await count(primary));
    // Neither server has written to this one since: equal to its checksum and log position.
    expect(await pageOfItems(copy, 6)).toEqual(await pageOfItems(primary, 6));
  });

  test('a replica that was killed starts again on its port with its data, and catches up', async ({
    skip,
  }) => {
    const lab = started(skip);
    const db1 = lab.server('db1');
    const [port, rows, pids] = [db1.port, await count(db1), db1.pids];
    await db1.kill();
    expect(db1.pid).toBeUndefined();
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    await lab.primary.query(`INSERT INTO items SELECT max(id) + 1, 'while down' FROM items`);
    await db1.start();
    await lab.waitForReplicas();
    expect(db1.port).toBe(port);
    expect(await count(db1)).toBe(rows + 1);
  });

  test('a primary that was killed has what was committed, and its replicas follow on', async ({ skip }) => {
    const lab = started(skip);
    const { primary } = lab;
    await primary.query(`INSERT INTO items SELECT max(id) + 1, 'last' FROM items`);
    const rows = await count(primary);
    await primary.kill();
    await primary.start();
    expect(await count(primary)).toBe(rows);
    await primary.query(`INSERT INTO items SELECT max(id) + 1, 'after' FROM items`);
    await lab.waitForReplicas();
    expect(await count(lab.server('db1'))).toBe(rows + 1);
  });

  test('settings hold from the next start on, over a restart on the same port', async ({ skip }) => {
    const db1 = started(skip).server('db1');
    const [rows, url] = [await count(db1), db1.url({ user: 'app1' })];
    await db1.configure({ innodb_buffer_pool_size: '48M', innodb_old_blocks_time: undefined });
    await db1.restart();
    expect(db1.url({ user: 'app1' })).toBe(url);
    expect(
      await db1.query('SELECT @@innodb_buffer_pool_size AS pool, @@innodb_old_blocks_time AS ms'),
    ).toEqual([{ pool: 48 << 20, ms: 1_000 }]);
    expect(await count(db1)).toBe(rows);
  });

  test('what a replica cannot apply is said, not waited for', async ({ skip }) => {
    const lab = started(skip);
    const odd = await lab.addReplica('odd');
    await lab.waitForReplicas();
    await odd.query('DROP TABLE items');
    await lab.primary.query(`INSERT INTO items SELECT max(id) + 1, 'lost' FROM items`);
    await expect(lab.waitForReplicas()).rejects.toThrow(/odd does not apply/);
    await odd.stop();
    await lab.waitForReplicas();
  });

  test('no process is left behind', async ({ skip }) => {
    const { servers } = started(skip);
    const pids = servers.flatMap((server) => server.pids);
    expect(pids.length).toBeGreaterThan(0);
    await owned.dispose();
    // What has ended is there until this process has taken note of it.
    await expect.poll(() => pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(servers.map((server) => existsSync(server.dataDir))).not.toContain(true);
  });
});

async function fillItems(connection: Connection, rowCount: number): Promise<void> {
  await connection.query('CREATE TABLE items (id bigint PRIMARY KEY, filler varchar(200) NOT NULL)');
  const rows = Array.from({ length: rowCount }, (_, index) => [index + 1, 'x'.repeat(100)]);
  await connection.query('INSERT INTO items (id, filler) VALUES ?', [rows]);
}

/** What no two servers may share. */
const identity = {
  mariadb: 'SELECT @@server_id AS id',
  mysql: 'SELECT @@server_uuid AS id',
};

async function pageOfItems(server: MysqlServer, page: number): Promise<Buffer> {
  const pageBytes = 16_384;
  const file = await readFile(join(server.dataDir, 'app', 'items.ibd'));
  return file.subarray(page * pageBytes, (page + 1) * pageBytes);
}

async function count(server: MysqlServer): Promise<number> {
  const [row] = await server.query<{ rows: number }>('SELECT count(*) AS `rows` FROM items');
  return row?.rows ?? 0;
}
