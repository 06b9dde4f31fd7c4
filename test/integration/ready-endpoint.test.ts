import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../src/lab/free-port.ts';
import { Haproxy, locateHaproxy } from '../../src/lab/haproxy.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import type { PostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { itemsVms, startItemsCluster } from './items-cluster.ts';
import type { RealAgents } from './real-agents.ts';

/** `GET /ready/<vm>` of real agents, and an HAProxy that gates on it. */

const owned = new OwnedProcesses({ handleSignals: false });
const ports = { db1: 0, db2: 0 };
let cluster: PostgresCluster;
let agents: RealAgents;

const haproxyMissing = await locateHaproxy().then(
  () => undefined,
  (error: Error) => error.message,
);
if (haproxyMissing !== undefined) console.warn(`HAProxy is not tested: ${haproxyMissing}`);

interface Answer {
  readonly status: number;
  readonly reason?: string;
  readonly [field: string]: unknown;
}

async function ask(replica: 'db1' | 'db2', path: string, method = 'GET'): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${ports[replica]}${path}`, { method });
  const text = await response.text();
  return { status: response.status, ...(text === '' ? {} : (JSON.parse(text) as object)) };
}

const ready = (replica: 'db1' | 'db2', vm = 'app1') => ask(replica, `/ready/${vm}`);

async function read(replica: 'db1' | 'db2', role: string): Promise<void> {
  const client = await cluster.server(replica).connect({ role });
  try {
    for (let i = 0; i < 5; i++) await client.query('SELECT sum(length(pad)) FROM items WHERE id <= 5000');
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  const prefix = `ready${process.pid}`;
  ({ cluster, agents } = await startItemsCluster({ owned, prefix, rowCount: 8_000 }));
  for (const replica of ['db1', 'db2'] as const) {
    ports[replica] = await agents.startListening(replica, itemsVms);
  }
});

afterAll(async () => {
  await agents?.close();
  await owned.dispose();
});

describe('GET /ready/<vm>', () => {
  test('without a route and a migration: warm where the VM is seen reading, cold elsewhere', async () => {
    await agents.broker.routes.delete('app1');
    expect(await ready('db1')).toMatchObject({
      status: 503,
      ready: false,
      reason: 'no_migration',
      route: null,
    });
    await read('db1', 'app1');
    await expect
      .poll(() => ready('db1'), { timeout: 10_000 })
      .toMatchObject({ status: 200, reason: 'reads_here' });
    expect(await ready('db2')).toMatchObject({
      status: 503,
      reason: 'no_migration',
      replica: 'db2',
      vm: 'app1',
    });
  });

  test('along a migration: cold, warming, ready, arrived, and cold where it came from', async () => {
    const { routes } = agents.broker;
    await routes.set('app1', { replica: 'db1' });
    expect(await ready('db1')).toMatchObject({
      status: 200,
      reason: 'route_here',
      route: { replica: 'db1' },
    });
    expect(await ready('db2')).toMatchObject({ status: 503, reason: 'no_migration' });
    await agents.profiled('db1', 'app1', ['items']);
    await agents.publish('m-along');
    await agents.reached('m-along', 'ready');
    expect(await ready('db2')).toMatchObject({
      status: 200,
      reason: 'migration_ready',
      migration: { id: 'm-along', state: 'ready' },
      lagMs: 0,
    });
    expect(await ready('db1')).toMatchObject({ status: 200, reason: 'route_here' });
    await agents.say('m-along', 'arrived');
    await expect.poll(() => ready('db1')).toMatchObject({ status: 503, reason: 'no_migration' });
    expect((await ready('db2')).status).toBe(200);
    await agents.reached('m-along', 'completed');
    expect(await ready('db2')).toMatchObject({ status: 200, reason: 'route_here' });
  });

  test('an aborted migration leaves it cold', async () => {
    await agents.broker.routes.set('app1', { replica: 'db1' });
    await agents.publish('m-aborted');
    await agents.reached('m-aborted', 'ready');
    await agents.say('m-aborted', 'aborted');
    await expect.poll(() => ready('db2')).toMatchObject({ status: 503, reason: 'no_migration' });
  });

  test('replay that stands still is lag, whatever is warm', async () => {
    await agents.broker.routes.set('app1', { replica: 'db2' });
    const db2 = cluster.server('db2');
    await db2.query('SELECT pg_wal_replay_pause()');
    await expect.poll(() => ready('db2'), { timeout: 15_000 }).toMatchObject({ status: 503, reason: 'lag' });
    await db2.query('SELECT pg_wal_replay_resume()');
    await expect
      .poll(() => ready('db2'), { timeout: 15_000 })
      .toMatchObject({ status: 200, reason: 'route_here' });
  });

  test('a database that is down is said at once, and comes back', async () => {
    await agents.broker.routes.set('app1', { replica: 'db2' });
    const db2 = cluster.server('db2');
    await db2.stop();
    await expect
      .poll(() => ready('db2'), { timeout: 20_000 })
      .toMatchObject({ status: 503, reason: 'database_unreachable', lagMs: null });
    await db2.start();
    await expect.poll(() => ready('db2'), { timeout: 20_000 }).toMatchObject({ status: 200 });
  });

  test('bad names, other paths and methods', async () => {
    for (const name of ['a.b', 'a%20b', '%', '', 'x'.repeat(65), 'a/b']) {
      expect(await ask('db1', `/ready/${name}`)).toMatchObject({
        status: 400,
        error: { code: 'name_invalid' },
      });
    }
    expect((await ask('db1', '/ready')).status).toBe(404);
    expect((await ask('db1', '/ready/app1', 'POST')).status).toBe(405);
    expect(await ask('db2', '/ready/app1?x=1', 'HEAD')).toEqual({ status: 200 });
    expect(await ask('db1', '/health')).toMatchObject({ status: 200, database: 'up' });
  });
});

describe.skipIf(haproxyMissing !== undefined)('HAProxy gates on it', () => {
  test('connections go where the VM is warm, and nowhere fails while it moves', async () => {
    const { routes } = agents.broker;
    await routes.set('app1', { replica: 'db1' });
    const port = await freePort();
    const server = (name: 'db1' | 'db2') =>
      `  server ${name} 127.0.0.1:${cluster.server(name).port} check port ${ports[name]}`;
    const haproxy = await Haproxy.start(
      owned,
      [
        'defaults',
        '  mode tcp',
        '  timeout connect 2s',
        '  timeout client 1m',
        '  timeout server 1m',
        'listen app1',
        `  bind 127.0.0.1:${port}`,
        '  option httpchk GET /ready/app1',
        '  default-server inter 200ms fall 1 rise 1',
        server('db1'),
        server('db2'),
        // No agent at all is no reason to turn an application away.
        `  server any 127.0.0.1:${cluster.server('db1').port} backup`,
        '',
      ].join('\n'),
    );
    const answered = async () => {
      const client = new pg.Client({ connectionString: `postgres://app1@127.0.0.1:${port}/app` });
      await client.connect();
      try {
        const { rows } = await client.query<{ port: number }>('SELECT inet_server_port() AS port');
        return rows[0]!.port;
      } finally {
        await client.end();
      }
    };
    const who = async () => {
      const seen = new Set<number>();
      for (let i = 0; i < 4; i++) seen.add(await answered());
      return (['db1', 'db2'] as const).filter((name) => seen.has(cluster.server(name).port));
    };
    try {
      await expect.poll(() => who().catch(String), { timeout: 10_000 }).toEqual(['db1']);
      await agents.publish('m-haproxy');
      await agents.reached('m-haproxy', 'ready');
      await expect.poll(who, { timeout: 10_000 }).toEqual(['db1', 'db2']);
      await agents.say('m-haproxy', 'arrived');
      await expect.poll(who, { timeout: 10_000 }).toEqual(['db2']);
      await agents.stop('db1');
      await agents.stop('db2');
      await expect.poll(who, { timeout: 10_000 }).toEqual(['db1']);
    } finally {
      await haproxy.stop();
    }
  });
});
