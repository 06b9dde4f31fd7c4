import { connect } from 'nats';
import { expect, test, vi } from 'vitest';
import { describeSwitching } from './support/switch-suite.ts';
import { RouteDesk, untilAt } from './support/switch-world.ts';

/** A pool and what it is told: routes, NATS, its own end. */

describeSwitching('a switching pool', (suite) => {
  test('begins at its route, and follows it', async () => {
    await suite.desk.to('db2');
    const { pool, diary } = suite.open();
    expect(await pool.port()).toBe(suite.site.port('db2'));
    expect(pool.route).toEqual({ vm: 'app1', replica: 'db2', wanted: 'db2', epoch: 1, phase: null });
    await suite.desk.to('db1');
    await diary.untilPhase('completed db1');
    expect(await pool.port()).toBe(suite.site.port('db1'));
    expect(diary.phases).toEqual(['preparation db1', 'in progress db1', 'post db1', 'completed db1']);
    expect(pool.route).toEqual({ vm: 'app1', replica: 'db1', wanted: 'db1', epoch: 2, phase: 'completed' });
    expect(pool.counters).toMatchObject({ preparation: 1, inProgress: 1, post: 1, completed: 1, failed: 0 });
  });

  test('NATS down at the start: the default replica, and the route once NATS is there', async () => {
    await suite.desk.to('db2');
    await suite.nats.stop();
    const { pool, diary } = suite.open();
    expect(await pool.port()).toBe(suite.site.port('db1'));
    expect(diary.noticed('nats lost')).toBe(true);
    await suite.nats.start();
    await untilAt(pool, 'db2', 30_000);
    expect(await pool.port()).toBe(suite.site.port('db2'));
    expect(diary.noticed('nats back')).toBe(true);
  });

  test('no bucket of routes yet: the default replica, and the route once there is one', async () => {
    const { pool, diary } = suite.open({ prefix: `late${suite.kind}` });
    expect(await pool.port()).toBe(suite.site.port('db1'));
    const late = await RouteDesk.open(suite.nats.url, `late${suite.kind}`);
    await late.to('db2');
    await untilAt(pool, 'db2', 30_000);
    await late.close();
    expect(diary.phases).toContain('post db2');
  });

  test('NATS away later: the last route, and the next one once NATS is back', async () => {
    await suite.desk.to('db2');
    const { pool, diary } = suite.open();
    expect(await pool.port()).toBe(suite.site.port('db2'));
    await suite.nats.stop();
    await diary.untilNoticed('nats lost');
    expect(await pool.port()).toBe(suite.site.port('db2'));
    await suite.nats.start();
    await vi.waitFor(() => suite.desk.to('db1'), { timeout: 20_000 });
    await untilAt(pool, 'db1', 30_000);
    expect(pool.counters).toMatchObject({ natsLost: 1, failed: 0 });
  });

  test('a connection to NATS that is given is used, and left open', async () => {
    await suite.desk.to('db2');
    const connection = await connect({ servers: suite.nats.url });
    const { pool } = suite.open({ nats: connection });
    expect(await pool.port()).toBe(suite.site.port('db2'));
    await pool.end();
    expect(connection.isClosed()).toBe(false);
    await connection.close();
  });

  test('an epoch that goes back is ignored', async () => {
    await suite.desk.to('db1');
    await suite.desk.to('db2');
    const { pool, diary } = suite.open();
    expect(await pool.port()).toBe(suite.site.port('db2'));
    const connection = await connect({ servers: suite.nats.url });
    const routes = await connection.jetstream().views.kv(`${suite.desk.prefix}_routes`);
    const route = { v: 1, replica: 'db1', epoch: 1, at: new Date().toISOString() };
    await routes.put('app1', JSON.stringify(route));
    await connection.close();
    await diary.untilNoticed('epoch ignored');
    expect(pool.route).toMatchObject({ replica: 'db2', wanted: 'db2', epoch: 2 });
    expect(pool.counters).toMatchObject({ epochsIgnored: 1, preparation: 0 });
    expect(await pool.port()).toBe(suite.site.port('db2'));
  });

  test('a route to a replica that the pool does not know changes nothing', async () => {
    await suite.desk.to('db1');
    const { pool, diary } = suite.open();
    await pool.port();
    await suite.desk.to('elsewhere');
    await diary.untilNoticed('replica unknown');
    expect(await pool.port()).toBe(suite.site.port('db1'));
    await suite.desk.to('db2');
    await untilAt(pool, 'db2');
  });

  test('of two switches in quick succession the last one counts', async () => {
    const proxy = await suite.proxyTo(suite.site.port('db2'));
    proxy.silence();
    await suite.desk.to('db1');
    const { pool, diary } = suite.open({ ports: { db2: proxy.port } });
    await pool.port();
    await suite.desk.to('db2');
    await diary.untilPhase('preparation db2');
    await suite.desk.to('primary');
    await untilAt(pool, 'primary');
    expect(diary.phases.slice(0, 3)).toEqual(['preparation db2', 'superseded db2', 'preparation primary']);
    expect(pool.counters).toMatchObject({ superseded: 1, failed: 0, retries: 0 });
    await Promise.all([suite.desk.to('db1'), suite.desk.to('primary'), suite.desk.to('db1')]).catch(() => {});
    const last = await suite.desk.broker.routes.get('app1');
    await untilAt(pool, last!.replica);
    await expect.poll(() => pool.route.epoch).toBe(last!.epoch);
  });

  test('a storm of routes is no storm of connections, and the last route counts', async () => {
    const proxies = {
      db2: await suite.proxyTo(suite.site.port('db2')),
      primary: await suite.proxyTo(suite.site.port('primary')),
    };
    for (const proxy of Object.values(proxies)) proxy.silence();
    await suite.desk.to('db1');
    const { pool } = suite.open({ ports: { db2: proxies.db2.port, primary: proxies.primary.port } });
    await pool.port();
    // None of these can be prepared: each is overtaken by the next.
    for (let count = 0; count < 200; count++) await suite.desk.to(count % 2 ? 'db2' : 'primary');
    await vi.waitFor(() => expect(pool.route.epoch).toBe(201), { timeout: 15_000 });
    expect(pool.counters.preparation).toBeLessThan(100);
    expect(await pool.port()).toBe(suite.site.port('db1'));
    for (const proxy of Object.values(proxies)) proxy.reset();
    await untilAt(pool, 'db2', 30_000);
  });

  test.each(['preparation', 'in progress', 'post', 'completed'] as const)(
    'ends in the phase %s',
    async (phase) => {
      await suite.desk.to('db1');
      const { pool } = suite.open();
      await pool.port();
      const ended = new Promise<void>((resolve, reject) => {
        pool.onSwitch((event) => {
          if (event.phase === phase) pool.end().then(resolve, reject);
        });
      });
      await suite.desk.to('db2');
      await ended;
      await expect(pool.run('SELECT 1')).rejects.toThrow(/pool|Pool/);
    },
  );

  test('ends while others wait: they are refused', async () => {
    await suite.desk.to('db1');
    const { pool } = suite.open({ max: 1 });
    const held = await pool.hold();
    const waiting = Promise.allSettled([pool.run('SELECT 1'), pool.hold()]);
    const ended = pool.end();
    expect((await waiting).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    held.release();
    await ended;
  });

  test('ends before it has begun', async () => {
    await suite.nats.stop();
    const { pool } = suite.open();
    await pool.end();
    await suite.nats.start();
  });
});
