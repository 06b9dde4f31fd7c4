import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSwitchingPgPool } from '../../src/index.ts';
import { type NatsServer, startNats } from '../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { type PostgresCluster, startPostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { backAndForth, Diary, RouteDesk, underLoad } from '../faults/support/switch-world.ts';
import { expectNoSessions } from './servers.ts';

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

const insert = 'INSERT INTO marks VALUES ($1, $2)';

test('a hundred switches under load lose nothing, double nothing, and leave no connection', async () => {
  await cluster.primary.query('TRUNCATE marks');
  const desk = await RouteDesk.open(nats.url, 'hundred');
  await desk.to('a');
  const at = (host: string) => ({
    host,
    port: cluster.primary.port,
    user: 'postgres',
    database: 'app',
    application_name: 'hundred',
  });
  const pool = createSwitchingPgPool({
    vm: 'app1',
    nats: nats.url,
    prefix: 'hundred',
    replicas: { a: at('127.0.0.1'), b: at('127.0.0.2') },
    defaultReplica: 'a',
    pool: { max: 24 },
  });
  const diary = new Diary(pool);
  const written: string[] = [];
  await diary.untilNoticed('started');

  async function work(client: number, step: number): Promise<void> {
    const values = [client, step];
    switch ((client + step) % 5) {
      case 0:
        await pool.query(insert, values);
        written.push(values.join());
        return;
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
          written.push(values.join());
        } finally {
          held.release();
        }
        return;
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
        return;
      }
      case 3:
        await pool.query({ name: 'mark', text: insert, values });
        written.push(values.join());
        return;
      default: {
        const held = await pool.connect();
        try {
          const cursor = held.query(new Cursor<{ n: number }>('SELECT n FROM generate_series(1, 100) n'));
          expect((await cursor.read(40)).length + (await cursor.read(100)).length).toBe(100);
          await cursor.close();
        } finally {
          held.release();
        }
      }
    }
  }

  const { steps, longestMs, errors } = await underLoad(32, work, () =>
    backAndForth(pool, desk, { times: 100, replicas: ['a', 'b'] }),
  );
  const { counters } = pool;
  await pool.end();
  console.info(
    `100 switches on PostgreSQL: ${steps} steps of 32 clients, longest ${longestMs.toFixed(0)} ms; ` +
      `checkouts held ${counters.longestHoldMs.toFixed(1)} ms at most`,
  );
  expect(errors).toEqual([]);
  expect(counters).toMatchObject({ post: 100, failed: 0, fellBack: 0, behind: 0, connectionsCut: 0 });
  const rows = await cluster.primary.query<{ client: number; step: number }>(
    'SELECT client, step FROM marks',
  );
  expect(rows.map(({ client, step }) => `${client},${step}`).sort()).toEqual(written.sort());
  await expectNoSessions(cluster.primary.url(), 'hundred');
  expect(diary.phases.filter((phase) => phase.startsWith('completed'))).toHaveLength(100);
  expect(pool.totalCount).toBe(0);
  await desk.close();
});
