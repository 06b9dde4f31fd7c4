import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { afterAll, beforeAll, expect, expectTypeOf, test } from 'vitest';
import { createSwitchingPgPool, type SwitchingPgPool, type SwitchOptions } from '../../src/index.ts';
import { type NatsServer, startNats } from '../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { type PostgresCluster, startPostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { RouteDesk } from '../faults/support/switch-world.ts';
import { TcpProxy } from '../faults/support/tcp-proxy.ts';
import { expectNoSessions } from './servers.ts';
import { hundredSwitches, kyselyGoesAlong, type Mark, type MarksDatabase } from './switching-proofs.ts';

const owned = new OwnedProcesses({ handleSignals: false });
let cluster: PostgresCluster;
let nats: NatsServer;

beforeAll(async () => {
  [cluster, nats] = await Promise.all([
    startPostgresCluster({
      owned,
      settings: { listen_addresses: '127.0.0.1,127.0.0.2', shared_buffers: '32MB' },
      load: async (client) => {
        await client.query('CREATE TABLE marks (client int, step int)');
      },
    }),
    startNats({ owned }),
  ]);
});
afterAll(() => owned.dispose());

function open(
  prefix: string,
  extra: pg.PoolConfig = {},
  options: Partial<SwitchOptions> = {},
): SwitchingPgPool {
  const at = (host: string) => ({
    host,
    port: cluster.primary.port,
    user: 'postgres',
    database: 'app',
    application_name: prefix,
  });
  return createSwitchingPgPool({
    vm: 'app1',
    nats: nats.url,
    prefix,
    replicas: { a: at('127.0.0.1'), b: at('127.0.0.2') },
    defaultReplica: 'a',
    // However slow this machine is at the moment.
    holdMs: 10_000,
    pool: extra,
    ...options,
  });
}

const insert = 'INSERT INTO marks VALUES ($1, $2)';

test('a hundred switches under load lose nothing, double nothing, and leave no connection', async () => {
  await cluster.primary.query('TRUNCATE marks');
  const desk = await RouteDesk.open(nats.url, 'hundred');
  await desk.to('a');
  const pool = open('hundred', { max: 24 });

  async function work({ client, step }: Mark): Promise<boolean> {
    const values = [client, step];
    switch ((client + step) % 5) {
      case 0:
        await pool.query(insert, values);
        return true;
      case 1: {
        const held = await pool.connect();
        try {
          await held.query('BEGIN');
          await held.query(insert, values);
          const { rows } = await held.query(
            'SELECT count(*)::int AS count FROM marks WHERE client = $1 AND step = $2',
            values,
          );
          expect(rows).toEqual([{ count: 1 }]);
          await held.query('COMMIT');
          return true;
        } finally {
          held.release();
        }
      }
      case 2: {
        const held = await pool.connect();
        try {
          let sum = 0;
          const stream = held.query(
            new QueryStream('SELECT n FROM generate_series(1, 300) n', [], { batchSize: 50 }),
          );
          for await (const row of stream as AsyncIterable<{ n: number }>) sum += row.n;
          expect(sum).toBe(45_150);
        } finally {
          held.release();
        }
        return false;
      }
      case 3:
        await pool.query({ name: 'mark', text: insert, values });
        return true;
      default: {
        const held = await pool.connect();
        try {
          const cursor = held.query(new Cursor<{ n: number }>('SELECT n FROM generate_series(1, 100) n'));
          expect((await cursor.read(40)).length + (await cursor.read(100)).length).toBe(100);
          await cursor.close();
        } finally {
          held.release();
        }
        return false;
      }
    }
  }

  const marks = () => cluster.primary.query<Mark>('SELECT client, step FROM marks');
  await hundredSwitches({ what: 'PostgreSQL', pool, desk, work, marks });
  await expectNoSessions(cluster.primary.url(), 'hundred');
  expect(pool.totalCount).toBe(0);
  await desk.close();
}, 300_000);

test('Kysely takes it, and goes along in a switch', async () => {
  const desk = await RouteDesk.open(nats.url, 'kysely');
  await desk.to('a');
  const pool = open('kysely');
  const db = new Kysely<MarksDatabase>({
    dialect: new PostgresDialect({ pool, cursor: Cursor }),
  });
  await kyselyGoesAlong(db, { pool, desk });
  const { rows } = await sql<{ host: string }>`SELECT host(inet_server_addr()) AS host`.execute(db);
  expect(rows).toEqual([{ host: '127.0.0.2' }]);
  await db.destroy();
  await expect(pool.query('SELECT 1')).rejects.toThrow('Cannot use a pool after calling end on the pool');
  await expectNoSessions(cluster.primary.url(), 'kysely');
  await desk.close();
});

test('it behaves as the pool that it stands for', async () => {
  await using pool = open('alike', { max: 2, connectionTimeoutMillis: 300 });
  expectTypeOf<SwitchingPgPool>().toExtend<pg.Pool>();
  expect(pool).toBeInstanceOf(pg.Pool);
  expect(pool.options.max).toBe(2);
  const events: string[] = [];
  for (const name of ['connect', 'acquire', 'release', 'remove'] as const)
    pool.on(name, () => events.push(name));
  expect((await pool.query('SELECT $1::int AS a', [1])).rows).toEqual([{ a: 1 }]);
  expect((await pool.query({ text: 'SELECT 1, 2', rowMode: 'array' })).rows).toEqual([[1, 2]]);
  await expect(pool.query('SELECT no_such_column')).rejects.toMatchObject({ code: '42703' });
  expect(events.slice(0, 3)).toEqual(['connect', 'acquire', 'release']);

  const first = await pool.connect();
  const second = await pool.connect();
  expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([2, 0, 0]);
  const third = pool.connect();
  await expect.poll(() => pool.waitingCount).toBe(1);
  await expect(third).rejects.toThrow('timeout exceeded when trying to connect');
  const fourth = pool.connect();
  first.release(new Error('not fit for use'));
  expect(() => first.release()).toThrow(/already been released/);
  const replaced = await fourth;
  expect(replaced).not.toBe(first);
  replaced.release();
  second.release();
  await expect.poll(() => [pool.totalCount, pool.idleCount]).toEqual([2, 2]);
  expect(events).toContain('remove');

  await new Promise<void>((resolve, reject) => {
    pool.query('SELECT $1::text AS a', ['b'], (error, result) => {
      if (error) reject(error);
      else resolve(expect(result.rows).toEqual([{ a: 'b' }]));
    });
  });
  await new Promise<void>((resolve, reject) => {
    pool.connect((error, client, release) => {
      if (error || client === undefined) return reject(error);
      client.query('SELECT 1', (failure: Error | null) => {
        release();
        if (failure) reject(failure);
        else resolve();
      });
    });
  });

  const failed = new Promise<Error>((resolve) => pool.on('error', resolve));
  await cluster.primary.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'alike'",
  );
  expect((await failed).message).toMatch(/terminating connection/);
  await expect.poll(() => pool.totalCount).toBe(0);
  expect((await pool.query('SELECT 1 AS a')).rows).toEqual([{ a: 1 }]);
  await new Promise<void>((resolve) => {
    pool.end(() => resolve());
  });
  expect([pool.ending, pool.ended, pool.totalCount]).toEqual([true, true, 0]);
  await expect(pool.end()).rejects.toThrow('Called end on pool more than once');
});

test('without a listener for errors, a broken idle connection ends nothing', async () => {
  await using pool = open('quiet');
  await pool.query('SELECT 1');
  await cluster.primary.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'quiet'",
  );
  await expect.poll(() => pool.totalCount).toBe(0);
  expect((await pool.query('SELECT 1 AS a')).rows).toEqual([{ a: 1 }]);
});

test('a NATS that says nothing lets no checkout run out of its time', async () => {
  const proxy = await TcpProxy.start(nats.port);
  proxy.silence();
  const url = `nats://127.0.0.1:${proxy.port}`;
  const pool = open('silent', { connectionTimeoutMillis: 4_000 }, { nats: url, startMs: 600_000 });
  expect((await pool.query('SELECT 1 AS a')).rows).toEqual([{ a: 1 }]);
  await pool.end();
  await proxy.close();
});

test('what is configured wrong is said at once', () => {
  const options = { vm: 'app1', nats: nats.url, replicas: { a: {} }, defaultReplica: 'a' };
  expect(() => createSwitchingPgPool({ ...options, defaultReplica: 'b' })).toThrow(/not among the replicas/);
  expect(() => createSwitchingPgPool({ ...options, vm: 'app 1' })).toThrow(/no name of a VM/);
  expect(() => createSwitchingPgPool({ ...options, drainMs: -1 })).toThrow(/drainMs must be/);
});
