import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'nats';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type NatsServer, startNats } from '../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { mysqlKinds } from '../integration/mysql-kinds.ts';
import {
  names,
  type PoolExtras,
  type Site,
  type SiteKind,
  type SitePool,
  startSite,
} from './support/switch-sites.ts';
import { Diary, RouteDesk, untilAt } from './support/switch-world.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

const kinds: SiteKind[] = ['postgres', ...mysqlKinds];

describe.each(kinds)('a switching pool on %s', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let site: Site;
  let nats: NatsServer;
  let desk: RouteDesk;
  let count = 0;
  const pools: SitePool[] = [];
  const proxies: TcpProxy[] = [];

  beforeAll(async () => {
    [site, nats] = await Promise.all([startSite(kind, owned), startNats({ owned })]);
  }, 600_000);
  afterAll(() => owned.dispose());
  beforeEach(async () => {
    desk = await RouteDesk.open(nats.url, `t${++count}`);
  });
  afterEach(async () => {
    await Promise.allSettled(pools.splice(0).map((pool) => pool.end()));
    for (const proxy of proxies.splice(0)) await proxy.close();
    await desk.close();
    for (const name of names)
      await vi.waitFor(async () => expect(await site.sessions(name)).toBe(0), {
        timeout: 10_000,
        interval: 20,
      });
  });

  const retry = { firstMs: 100, maxMs: 400 };

  function open(options: PoolExtras = {}): { pool: SitePool; diary: Diary } {
    const pool = site.pool({ vm: 'app1', nats: nats.url, prefix: desk.prefix, retry, ...options });
    pools.push(pool);
    return { pool, diary: new Diary(pool) };
  }

  async function proxyTo(name: string): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(site.port(name));
    proxies.push(proxy);
    return proxy;
  }

  test('begins at its route, and follows it', async () => {
    await desk.to('db2');
    const { pool, diary } = open();
    expect(await pool.port()).toBe(site.port('db2'));
    expect(pool.route).toEqual({ vm: 'app1', replica: 'db2', wanted: 'db2', epoch: 1, phase: null });
    await desk.to('db1');
    await diary.untilPhase('completed db1');
    expect(await pool.port()).toBe(site.port('db1'));
    expect(diary.phases).toEqual(['preparation db1', 'in progress db1', 'post db1', 'completed db1']);
    expect(pool.route).toEqual({ vm: 'app1', replica: 'db1', wanted: 'db1', epoch: 2, phase: 'completed' });
    expect(pool.counters).toMatchObject({ preparation: 1, inProgress: 1, post: 1, completed: 1, failed: 0 });
  });

  test('NATS down at the start: the default replica, and the route once NATS is there', async () => {
    await desk.to('db2');
    await nats.stop();
    const { pool, diary } = open();
    expect(await pool.port()).toBe(site.port('db1'));
    expect(diary.noticed('nats lost')).toBe(true);
    await nats.start();
    await untilAt(pool, 'db2', 30_000);
    expect(await pool.port()).toBe(site.port('db2'));
    expect(diary.noticed('nats back')).toBe(true);
  });

  test('no bucket of routes yet: the default replica, and the route once there is one', async () => {
    const { pool, diary } = open({ prefix: `late${kind}` });
    expect(await pool.port()).toBe(site.port('db1'));
    const late = await RouteDesk.open(nats.url, `late${kind}`);
    await late.to('db2');
    await untilAt(pool, 'db2', 30_000);
    await late.close();
    expect(diary.phases).toContain('post db2');
  });

  test('NATS away later: the last route, and the next one once NATS is back', async () => {
    await desk.to('db2');
    const { pool, diary } = open();
    expect(await pool.port()).toBe(site.port('db2'));
    await nats.stop();
    await diary.untilNoticed('nats lost');
    expect(await pool.port()).toBe(site.port('db2'));
    await nats.start();
    await vi.waitFor(() => desk.to('db1'), { timeout: 20_000 });
    await untilAt(pool, 'db1', 30_000);
    expect(pool.counters).toMatchObject({ natsLost: 1, failed: 0 });
  });

  test('a connection to NATS that is given is used, and left open', async () => {
    await desk.to('db2');
    const connection = await connect({ servers: nats.url });
    const { pool } = open({ nats: connection });
    expect(await pool.port()).toBe(site.port('db2'));
    await pool.end();
    pools.length = 0;
    expect(connection.isClosed()).toBe(false);
    await connection.close();
  });

  test('an epoch that goes back is ignored', async () => {
    await desk.to('db1');
    await desk.to('db2');
    const { pool, diary } = open();
    expect(await pool.port()).toBe(site.port('db2'));
    const connection = await connect({ servers: nats.url });
    const routes = await connection.jetstream().views.kv(`${desk.prefix}_routes`);
    const route = { v: 1, replica: 'db1', epoch: 1, at: new Date().toISOString() };
    await routes.put('app1', JSON.stringify(route));
    await connection.close();
    await diary.untilNoticed('epoch ignored');
    expect(pool.route).toMatchObject({ replica: 'db2', wanted: 'db2', epoch: 2 });
    expect(pool.counters).toMatchObject({ epochsIgnored: 1, preparation: 0 });
    expect(await pool.port()).toBe(site.port('db2'));
  });

  test('a route to a replica that the pool does not know changes nothing', async () => {
    await desk.to('db1');
    const { pool, diary } = open();
    await pool.port();
    await desk.to('elsewhere');
    await diary.untilNoticed('replica unknown');
    expect(await pool.port()).toBe(site.port('db1'));
    await desk.to('db2');
    await untilAt(pool, 'db2');
  });

  test('of two switches in quick succession the last one counts', async () => {
    const proxy = await proxyTo('db2');
    proxy.silence();
    await desk.to('db1');
    const { pool, diary } = open({ ports: { db2: proxy.port } });
    await pool.port();
    await desk.to('db2');
    await diary.untilPhase('preparation db2');
    await desk.to('primary');
    await untilAt(pool, 'primary');
    expect(diary.phases.slice(0, 3)).toEqual(['preparation db2', 'superseded db2', 'preparation primary']);
    expect(pool.counters).toMatchObject({ superseded: 1, failed: 0, retries: 0 });
    await Promise.all([desk.to('db1'), desk.to('primary'), desk.to('db1')]).catch(() => {});
    const last = await desk.broker.routes.get('app1');
    await untilAt(pool, last!.replica);
    await vi.waitFor(() => expect(pool.route.epoch).toBe(last!.epoch));
  });

  test('a target that refuses: stays, says so, and gets there once it can', async () => {
    await desk.to('db1');
    const { pool, diary } = open();
    await pool.port();
    await site.stop('db2');
    await desk.to('db2');
    await vi.waitFor(() => expect(pool.counters.retries).toBeGreaterThan(1), { timeout: 20_000 });
    expect(diary.phases.slice(0, 2)).toEqual(['preparation db2', 'failed db2']);
    expect(await pool.port()).toBe(site.port('db1'));
    expect(pool.route).toMatchObject({ replica: 'db1', wanted: 'db2' });
    await site.start('db2');
    await untilAt(pool, 'db2', 30_000);
    expect(await pool.port()).toBe(site.port('db2'));
  });

  test('a target that dies after the swap: back to the old one, and there again once it lives', async () => {
    await desk.to('db1');
    const { pool, diary } = open({ drainMs: 60_000 });
    const held = await pool.hold();
    await held.run('BEGIN');
    await held.run('SELECT n FROM counter');
    await desk.to('db2');
    await untilAt(pool, 'db2');
    expect(await pool.port()).toBe(site.port('db2'));
    await site.kill('db2');
    await vi.waitFor(async () => expect(await pool.port()).toBe(site.port('db1')), { timeout: 20_000 });
    expect(diary.phases).toContain('fell back db2');
    expect(diary.noticed('replica failing')).toBe(true);
    expect(await held.run('SELECT n FROM counter')).toHaveLength(1);
    await held.run('COMMIT');
    held.release();
    await site.start('db2');
    await untilAt(pool, 'db2', 30_000);
    expect(await pool.port()).toBe(site.port('db2'));
  });

  test('with both replicas dead a query is told so, and works once one of them lives', async () => {
    await desk.to('db1');
    const { pool, diary } = open({ connectMs: 1_000 });
    await pool.port();
    await desk.to('db2');
    await diary.untilPhase('completed db2');
    await Promise.all([site.kill('db1'), site.kill('db2')]);
    await expect(pool.port()).rejects.toThrow();
    await vi.waitFor(() => expect(pool.port()).rejects.toMatchObject({ code: 'ECONNREFUSED' }), {
      timeout: 10_000,
    });
    await site.start('db1');
    await vi.waitFor(async () => expect(await pool.port()).toBe(site.port('db1')), { timeout: 20_000 });
    await site.start('db2');
    await untilAt(pool, 'db2', 30_000);
  });

  test('checkouts that find the new replica dead are served at the old one', async () => {
    const proxy = await proxyTo('db2');
    await desk.to('db1');
    const { pool, diary } = open({ ports: { db2: proxy.port }, connectMs: 500 });
    await pool.port();
    await desk.to('db2');
    await diary.untilPhase('completed db2');
    proxy.silence();
    // More than are idle there: one of them must be opened, and finds nobody.
    const held = await Promise.all([pool.hold(), pool.hold(), pool.hold(), pool.hold()]);
    await vi.waitFor(() => expect(pool.route).toMatchObject({ replica: 'db1', wanted: 'db2' }), {
      timeout: 20_000,
    });
    expect(await pool.port()).toBe(site.port('db1'));
    for (const connection of held) connection.release();
    proxy.reset();
    await untilAt(pool, 'db2', 30_000);
  });

  test('a lagging replica by policy stay: not before it shows what was seen', async () => {
    await desk.to('db1');
    const { pool, diary } = open({ catchUp: { waitMs: 300, otherwise: 'stay' } });
    await site.replicated();
    await site.pause('db2');
    await site.write('UPDATE counter SET n = n + 1');
    const n = await written(pool);
    await desk.to('db2');
    await diary.untilPhase('failed db2');
    expect(diary.switches.find(({ phase }) => phase === 'failed')?.reason).toMatch(/does not show/);
    expect(await pool.port()).toBe(site.port('db1'));
    expect(pool.counters.behind).toBe(0);
    await site.resume('db2');
    await untilAt(pool, 'db2', 30_000);
    expect(await written(pool)).toBe(n);
  });

  test('a lagging replica by policy go: with a notice', async () => {
    await desk.to('db1');
    const { pool, diary } = open({ catchUp: { waitMs: 300, otherwise: 'go' } });
    await site.replicated();
    await site.pause('db2');
    try {
      await site.write('UPDATE counter SET n = n + 1');
      const n = await written(pool);
      await desk.to('db2');
      await diary.untilPhase('post db2');
      expect(pool.counters.behind).toBe(1);
      expect(diary.noticed('behind')).toBe(true);
      expect((await pool.run('SELECT n FROM counter')) as { n: number }[]).toEqual([{ n: n - 1 }]);
    } finally {
      await site.resume('db2');
    }
  });

  test('an old replica that is dead holds nobody back', async () => {
    await desk.to('db2');
    const { pool, diary } = open({ connectMs: 1_000 });
    await pool.port();
    await site.kill('db2');
    await desk.to('db1');
    await untilAt(pool, 'db1');
    expect(await pool.port()).toBe(site.port('db1'));
    expect(diary.noticed('behind')).toBe(true);
    await site.start('db2');
  });

  /** What the application sees by now at its replica, once that shows the primary's last value. */
  async function written(pool: SitePool): Promise<number> {
    let n = 0;
    await vi.waitFor(
      async () => {
        const [row] = (await pool.run('SELECT n FROM counter')) as { n: number }[];
        n = row!.n;
        expect(n).toBeGreaterThan(lastN);
      },
      { timeout: 10_000, interval: 10 },
    );
    lastN = n - 1;
    return n;
  }
  let lastN = 0;

  test('nobody is taken back in time', async () => {
    await desk.to('db1');
    const { pool, diary } = open({ holdMs: 10_000 });
    await diary.untilNoticed('started');
    let stop = false;
    const writing = (async () => {
      while (!stop) await site.write('UPDATE counter SET n = n + 1');
    })();
    const wentBack: string[] = [];
    const readers = Array.from({ length: 12 }, async () => {
      let last = 0;
      while (!stop) {
        const [row] = (await pool.run('SELECT n FROM counter')) as { n: number }[];
        if (row!.n < last) wentBack.push(`${row!.n} after ${last}`);
        last = row!.n;
      }
    });
    try {
      for (let turn = 0; turn < 12; turn++) {
        const replica = turn % 2 === 0 ? 'db2' : 'db1';
        // It lags, and has time to be taken all the same by a pool that does not look.
        await site.pause(replica);
        await desk.to(replica);
        await delay(150);
        await site.resume(replica);
        await untilAt(pool, replica, 30_000);
      }
    } finally {
      stop = true;
      await Promise.all([writing, ...readers]);
    }
    expect(wentBack).toEqual([]);
    expect(pool.counters).toMatchObject({ post: 12, behind: 0 });
    await site.replicated();
    const [row] = (await pool.run('SELECT n FROM counter')) as { n: number }[];
    lastN = row!.n;
  });

  test('transactions finish where they began, and are cut off at the limit', async () => {
    await desk.to('db1');
    const { pool, diary } = open({ drainMs: 1_500 });
    const [short, long] = await Promise.all([pool.hold(), pool.hold()]);
    for (const held of [short, long]) {
      await held.run('BEGIN');
      await held.run('SELECT n FROM counter');
    }
    await desk.to('db2');
    await diary.untilPhase('post db2');
    expect(await pool.port()).toBe(site.port('db2'));
    expect(await short.run('SELECT n FROM counter')).toHaveLength(1);
    await short.run('COMMIT');
    short.release();
    const sleeping = long.run(kind === 'postgres' ? 'SELECT pg_sleep(60)' : 'SELECT SLEEP(60) FROM counter');
    const outcome = sleeping.then(
      () => 'answered',
      () => 'rejected',
    );
    await diary.untilPhase('completed db2');
    expect(await outcome).toBe('rejected');
    await expect(long.run('SELECT n FROM counter')).rejects.toThrow();
    long.release();
    expect(pool.counters.connectionsCut).toBe(1);
    expect(diary.switches.at(-1)).toMatchObject({ phase: 'completed', cut: 1 });
    await vi.waitFor(async () => expect(await site.sessions('db1')).toBe(0), { timeout: 10_000 });
  });

  test('as many connections as are busy are open and warm before the swap', async () => {
    await desk.to('db1');
    const warm = ['SELECT n FROM counter', 'SELECT 2'];
    const { pool, diary } = open({ session: sessionOf(kind), warm } as PoolExtras);
    const held = await Promise.all(Array.from({ length: 5 }, () => pool.hold()));
    await desk.to('db2');
    await diary.untilPhase('post db2');
    expect(diary.switches.find(({ phase }) => phase === 'in progress')?.prepared).toBe(5);
    expect(pool.counters.connectionsPrepared).toBe(5);
    expect(await site.sessions('db2')).toBeGreaterThanOrEqual(5);
    const shown =
      kind === 'postgres' ? 'SHOW statement_timeout' : 'SELECT @@SESSION.wait_timeout AS wait_timeout';
    expect(await pool.run(shown)).toEqual([
      kind === 'postgres' ? { statement_timeout: '41s' } : { wait_timeout: 4321 },
    ]);
    for (const connection of held) connection.release();
    await diary.untilPhase('completed db2');
  });

  test.each(['preparation', 'in progress', 'post', 'completed'] as const)(
    'ends in the phase %s',
    async (phase) => {
      await desk.to('db1');
      const { pool } = open();
      await pool.port();
      const ended = new Promise<void>((resolve, reject) => {
        pool.onSwitch((event) => {
          if (event.phase === phase) pool.end().then(resolve, reject);
        });
      });
      await desk.to('db2');
      await ended;
      pools.length = 0;
      await expect(pool.run('SELECT 1')).rejects.toThrow(/pool|Pool/);
    },
  );

  test('ends while others wait: they are refused', async () => {
    await desk.to('db1');
    const { pool } = open({ max: 1 });
    const held = await pool.hold();
    const waiting = Promise.allSettled([pool.run('SELECT 1'), pool.hold()]);
    const ended = pool.end();
    pools.length = 0;
    expect((await waiting).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    held.release();
    await ended;
  });

  test('ends before it has begun', async () => {
    await nats.stop();
    const { pool } = open();
    await pool.end();
    pools.length = 0;
    await nats.start();
  });
});

function sessionOf(kind: SiteKind): Record<string, string | number> {
  return kind === 'postgres' ? { statement_timeout: '41s' } : { wait_timeout: 4321 };
}
