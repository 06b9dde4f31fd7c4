import { Kysely, MysqlDialect, sql } from 'kysely';
import type { PoolConnection, PoolOptions, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test, vi } from 'vitest';
import { createSwitchingMysqlPool, type SwitchingMysqlPool } from '../../src/index.ts';
import { type MysqlCluster, startMysqlCluster } from '../../src/lab/mysql-cluster.ts';
import { type NatsServer, startNats } from '../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { RouteDesk, untilAt } from '../faults/support/switch-world.ts';
import { mysqlKinds } from './mysql-kinds.ts';
import { hundredSwitches, kyselyGoesAlong, type Mark, type MarksDatabase } from './switching-proofs.ts';

describe.each(mysqlKinds)('a switching pool on %s', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let cluster: MysqlCluster;
  let nats: NatsServer;

  beforeAll(async () => {
    [cluster, nats] = await Promise.all([
      startMysqlCluster({
        owned,
        kind,
        // So that one server has two addresses.
        settings: { innodb_buffer_pool_size: '32M', bind_address: '0.0.0.0' },
        load: async (connection) => {
          await connection.query('CREATE TABLE marks (client int, step int)');
          await connection.query('CREATE TABLE numbers (n int PRIMARY KEY)');
          const numbers = Array.from({ length: 300 }, (_, index) => `(${index + 1})`);
          await connection.query(`INSERT INTO numbers VALUES ${numbers.join()}`);
        },
      }),
      startNats({ owned }),
    ]);
  }, 600_000);
  afterAll(() => owned.dispose());

  const sessions = async (program: string) =>
    await cluster.primary.query(
      `SELECT PROCESSLIST_ID FROM performance_schema.session_connect_attrs
       WHERE ATTR_NAME = 'program_name' AND ATTR_VALUE = ?`,
      [program],
    );

  function open(prefix: string, extra: PoolOptions = {}) {
    const at = (host: string) => ({
      host,
      port: cluster.primary.port,
      user: 'root',
      database: 'app',
      connectAttributes: { program_name: prefix },
    });
    return createSwitchingMysqlPool({
      vm: 'app1',
      nats: nats.url,
      prefix,
      replicas: { a: at('127.0.0.1'), b: at('127.0.0.2') },
      defaultReplica: 'a',
      // However slow this machine is at the moment.
      holdMs: 10_000,
      session: { wait_timeout: 1234 },
      pool: extra,
    });
  }

  test('a hundred switches under load lose nothing, double nothing, and leave no connection', async () => {
    await cluster.primary.query(`CREATE USER IF NOT EXISTS root@'127.0.0.2'`).catch(() => {});
    await cluster.primary.query('TRUNCATE marks');
    const desk = await RouteDesk.open(nats.url, 'hundred');
    await desk.to('a');
    const pool = open('hundred', { connectionLimit: 24 });
    const insert = 'INSERT INTO marks VALUES (?, ?)';

    async function work({ client, step }: Mark): Promise<boolean> {
      const values = [client, step];
      switch ((client + step) % 4) {
        case 0:
          await pool.query(insert, values);
          return true;
        case 1: {
          const held = await pool.getConnection();
          try {
            await held.beginTransaction();
            await held.query(insert, values);
            const [rows] = await held.query(
              'SELECT count(*) AS count FROM marks WHERE client = ? AND step = ?',
              values,
            );
            expect(rows).toEqual([{ count: 1 }]);
            await held.commit();
            return true;
          } finally {
            held.release();
          }
        }
        case 2: {
          let sum = 0;
          const stream = pool.pool.query('SELECT n FROM numbers').stream();
          for await (const row of stream as AsyncIterable<{ n: number }>) sum += row.n;
          expect(sum).toBe(45_150);
          return false;
        }
        default:
          await pool.execute(insert, values);
          return true;
      }
    }

    const marks = () => cluster.primary.query<Mark>('SELECT client, step FROM marks');
    await hundredSwitches({ what: kind, pool, desk, work, marks });
    await vi.waitFor(async () => expect(await sessions('hundred')).toEqual([]), { timeout: 10_000 });
    await desk.close();
  }, 300_000);

  test('Kysely takes it, and goes along in a switch', async () => {
    const desk = await RouteDesk.open(nats.url, 'kysely');
    await desk.to('a');
    const pool = open('kysely');
    const db = new Kysely<MarksDatabase>({
      dialect: new MysqlDialect({ pool }),
    });
    await kyselyGoesAlong(db, { pool, desk });
    const { rows } = await sql<{ one: number }>`SELECT 1 AS one`.execute(db);
    expect(rows).toEqual([{ one: 1 }]);
    await db.destroy();
    await expect(pool.query('SELECT 1')).rejects.toThrow('Pool is closed.');
    await vi.waitFor(async () => expect(await sessions('kysely')).toEqual([]), { timeout: 10_000 });
    await desk.close();
  });

  test('options that change how values look disturb no switch', async () => {
    const desk = await RouteDesk.open(nats.url, 'looks');
    await desk.to('a');
    const looks = { supportBigNumbers: true, bigNumberStrings: true, dateStrings: true, rowsAsArray: true };
    const queryFormat = (text: string, values: Record<string, unknown> = {}) =>
      text.replaceAll(/:(\w+)/g, (_, name: string) => JSON.stringify(values[name]));
    const pool = open('looks', { ...looks, queryFormat });
    expect(await pool.query('SELECT @@wait_timeout, :a', { a: 'b' })).toMatchObject([[['1234', 'b']], {}]);
    await cluster.primary.query('INSERT INTO marks VALUES (9, 9)');
    await desk.to('b');
    await untilAt(pool, 'b');
    expect(pool.counters).toMatchObject({ failed: 0, behind: 0, retries: 0 });
    await pool.end();
    await desk.close();
  });

  test('it behaves as the pool that it stands for', async () => {
    await using pool = open('alike', { connectionLimit: 1, queueLimit: 1 });
    expectTypeOf<SwitchingMysqlPool>().toExtend<import('mysql2/promise').Pool>();
    const events: string[] = [];
    for (const name of ['connection', 'acquire', 'release', 'enqueue'] as const)
      pool.on(name as 'connection', () => events.push(name));
    const [rows] = await pool.query<RowDataPacket[]>('SELECT ? AS a', [1]);
    expect(rows).toEqual([{ a: 1 }]);
    const [prepared] = await pool.execute<RowDataPacket[]>({ sql: 'SELECT ? AS a', values: ['x'] });
    expect(prepared).toEqual([{ a: 'x' }]);
    expect(events.slice(0, 3)).toEqual(['connection', 'acquire', 'release']);
    await expect(pool.query('SELECT no_such_column')).rejects.toMatchObject({ code: 'ER_BAD_FIELD_ERROR' });
    expect(pool.escape("it's")).toBe("'it\\'s'");
    expect(pool.format('SELECT ?', [1])).toBe('SELECT 1');
    let waiting: Promise<PoolConnection>;
    {
      await using held = await pool.getConnection();
      expect(held.threadId).toBeGreaterThan(0);
      waiting = pool.getConnection();
      await expect(pool.getConnection()).rejects.toThrow('Queue limit reached.');
      expect(events).toContain('enqueue');
    }
    (await waiting).destroy();
    await new Promise<void>((resolve, reject) => {
      pool.pool.query('SELECT 2 AS b', (error, found) => {
        if (error) reject(error);
        else resolve(expect(found).toEqual([{ b: 2 }]));
      });
    });
    await new Promise<void>((resolve, reject) => {
      pool.getConnection((error, connection) => {
        if (error) reject(error);
        else resolve(connection.release());
      });
    });
  });
});
