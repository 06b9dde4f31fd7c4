import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { PoolExtras, SiteKind, SitePool } from './support/switch-sites.ts';
import { describeSwitching } from './support/switch-suite.ts';
import { untilAt } from './support/switch-world.ts';

/** A pool and its replicas: dead, silent, behind, or left with work on them. */

describeSwitching('a switching pool', (suite) => {
  test('a target that refuses: stays, says so, and gets there once it can', async () => {
    await suite.desk.to('db1');
    const { pool, diary } = suite.open();
    await pool.port();
    await suite.site.stop('db2');
    await suite.desk.to('db2');
    await vi.waitFor(() => expect(pool.counters.retries).toBeGreaterThan(1), { timeout: 20_000 });
    expect(diary.phases.slice(0, 2)).toEqual(['preparation db2', 'failed db2']);
    expect(await pool.port()).toBe(suite.site.port('db1'));
    expect(pool.route).toMatchObject({ replica: 'db1', wanted: 'db2' });
    await suite.site.start('db2');
    await untilAt(pool, 'db2', 30_000);
    expect(await pool.port()).toBe(suite.site.port('db2'));
  });

  test('a target that dies after the swap: back to the old one, and there again once it lives', async () => {
    await suite.desk.to('db1');
    const { pool, diary } = suite.open({ drainMs: 60_000 });
    const held = await pool.hold();
    await held.run('BEGIN');
    await held.run('SELECT n FROM counter');
    await suite.desk.to('db2');
    await untilAt(pool, 'db2');
    expect(await pool.port()).toBe(suite.site.port('db2'));
    await suite.site.kill('db2');
    await vi.waitFor(async () => expect(await pool.port()).toBe(suite.site.port('db1')), { timeout: 20_000 });
    expect(diary.phases).toContain('fell back db2');
    expect(diary.noticed('replica failing')).toBe(true);
    expect(await held.run('SELECT n FROM counter')).toHaveLength(1);
    await held.run('COMMIT');
    held.release();
    await suite.site.start('db2');
    await untilAt(pool, 'db2', 30_000);
    expect(await pool.port()).toBe(suite.site.port('db2'));
  });

  test('with both replicas dead a query is told so, and works once one of them lives', async () => {
    await suite.desk.to('db1');
    const { pool, diary } = suite.open({ connectMs: 1_000 });
    await pool.port();
    await suite.desk.to('db2');
    await diary.untilPhase('completed db2');
    await Promise.all([suite.site.kill('db1'), suite.site.kill('db2')]);
    await expect(pool.port()).rejects.toThrow();
    await vi.waitFor(() => expect(pool.port()).rejects.toMatchObject({ code: 'ECONNREFUSED' }), {
      timeout: 10_000,
    });
    await suite.site.start('db1');
    await vi.waitFor(async () => expect(await pool.port()).toBe(suite.site.port('db1')), { timeout: 20_000 });
    await suite.site.start('db2');
    await untilAt(pool, 'db2', 30_000);
  });

  test('checkouts that find the new replica dead are served at the old one', async () => {
    const proxy = await suite.proxyTo(suite.site.port('db2'));
    await suite.desk.to('db1');
    const { pool, diary } = suite.open({ ports: { db2: proxy.port }, connectMs: 500 });
    await pool.port();
    await suite.desk.to('db2');
    await diary.untilPhase('completed db2');
    proxy.silence();
    // More than are idle there: one of them must be opened, and finds nobody.
    const held = await Promise.all([pool.hold(), pool.hold(), pool.hold(), pool.hold()]);
    await vi.waitFor(() => expect(pool.route).toMatchObject({ replica: 'db1', wanted: 'db2' }), {
      timeout: 20_000,
    });
    expect(await pool.port()).toBe(suite.site.port('db1'));
    for (const connection of held) connection.release();
    proxy.reset();
    await untilAt(pool, 'db2', 30_000);
  });

  test('a lagging replica by policy stay: not before it shows what was seen', async () => {
    await suite.desk.to('db1');
    const { pool, diary } = suite.open({ catchUp: { waitMs: 300, otherwise: 'stay' } });
    await suite.site.replicated();
    await suite.site.pause('db2');
    await suite.site.write('UPDATE counter SET n = n + 1');
    const n = await written(pool);
    await suite.desk.to('db2');
    await diary.untilPhase('failed db2');
    expect(diary.switches.find(({ phase }) => phase === 'failed')?.reason).toMatch(/does not show/);
    expect(await pool.port()).toBe(suite.site.port('db1'));
    expect(pool.counters.behind).toBe(0);
    await suite.site.resume('db2');
    await untilAt(pool, 'db2', 30_000);
    expect(await written(pool)).toBe(n);
  });

  test('a lagging replica by policy go: with a notice', async () => {
    await suite.desk.to('db1');
    const { pool, diary } = suite.open({ catchUp: { waitMs: 300, otherwise: 'go' } });
    await suite.site.replicated();
    await suite.site.pause('db2');
    try {
      await suite.site.write('UPDATE counter SET n = n + 1');
      const n = await written(pool);
      await suite.desk.to('db2');
      await diary.untilPhase('post db2');
      expect(pool.counters.behind).toBe(1);
      expect(diary.noticed('behind')).toBe(true);
      expect((await pool.run('SELECT n FROM counter')) as { n: number }[]).toEqual([{ n: n - 1 }]);
    } finally {
      await suite.site.resume('db2');
    }
  });

  test('an old replica that is dead holds nobody back', async () => {
    await suite.desk.to('db2');
    const { pool, diary } = suite.open({ connectMs: 1_000 });
    await pool.port();
    await suite.site.kill('db2');
    await suite.desk.to('db1');
    await untilAt(pool, 'db1');
    expect(await pool.port()).toBe(suite.site.port('db1'));
    expect(diary.noticed('behind')).toBe(true);
    await suite.site.start('db2');
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
    await suite.desk.to('db1');
    const { pool, diary } = suite.open({ holdMs: 10_000 });
    await diary.untilNoticed('started');
    let stop = false;
    const writing = (async () => {
      while (!stop) await suite.site.write('UPDATE counter SET n = n + 1');
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
        await suite.site.pause(replica);
        await suite.desk.to(replica);
        await delay(150);
        await suite.site.resume(replica);
        await untilAt(pool, replica, 30_000);
      }
    } finally {
      stop = true;
      await Promise.all([writing, ...readers]);
    }
    expect(wentBack).toEqual([]);
    expect(pool.counters).toMatchObject({ post: 12, behind: 0 });
    await suite.site.replicated();
    const [row] = (await pool.run('SELECT n FROM counter')) as { n: number }[];
    lastN = row!.n;
  });

  test('transactions finish where they began, and are cut off at the limit', async () => {
    await suite.desk.to('db1');
    const { pool, diary } = suite.open({ drainMs: 1_500 });
    const [short, ...long] = await Promise.all([pool.hold(), pool.hold(), pool.hold()]);
    for (const held of [short, ...long]) {
      await held.run('BEGIN');
      await held.run('SELECT n FROM counter');
    }
    await suite.desk.to('db2');
    await diary.untilPhase('post db2');
    expect(await pool.port()).toBe(suite.site.port('db2'));
    expect(await short.run('SELECT n FROM counter')).toHaveLength(1);
    await short.run('COMMIT');
    short.release();
    const outcomes = Promise.allSettled(long.map((held) => held.run(sleepOf(suite.kind))));
    await diary.untilPhase('completed db2');
    // As the driver says it of a connection that was lost.
    const lost =
      suite.kind === 'postgres' ? { message: 'Connection terminated' } : { code: 'PROTOCOL_CONNECTION_LOST' };
    expect(await outcomes).toMatchObject(long.map(() => ({ status: 'rejected', reason: lost })));
    for (const held of long) {
      await expect(held.run('SELECT n FROM counter')).rejects.toThrow();
      held.release();
    }
    expect(pool.counters.connectionsCut).toBe(2);
    expect(diary.switches.at(-1)).toMatchObject({ phase: 'completed', cut: 2 });
    await vi.waitFor(async () => expect(await suite.site.sessions('db1')).toBe(0), { timeout: 10_000 });
  });

  test('warming that does not end is cut off, and tried again', async () => {
    await suite.desk.to('db1');
    const sleep = sleepOf(suite.kind);
    let isSlow = true;
    const warm = async (connection: { query(sql: string): Promise<unknown> }) => {
      if (isSlow) await connection.query(sleep);
    };
    const { pool, diary } = suite.open({ warm, warmMs: 200 } as PoolExtras);
    await pool.port();
    await suite.desk.to('db2');
    await diary.untilNoticed('retry');
    expect(diary.switches.find(({ phase }) => phase === 'failed')?.reason).toContain('warming a connection');
    expect(await pool.port()).toBe(suite.site.port('db1'));
    isSlow = false;
    // None of the statements goes on at the server.
    await vi.waitFor(async () => expect(await suite.site.running('db2', sleep)).toBe(0), { timeout: 10_000 });
    await untilAt(pool, 'db2');
    expect(await pool.port()).toBe(suite.site.port('db2'));
  });

  test('a newer route does not wait for warming that does not end', async () => {
    await suite.desk.to('db1');
    const sleep = sleepOf(suite.kind);
    const { pool, diary } = suite.open({ warm: [sleep] } as PoolExtras);
    await pool.port();
    await suite.desk.to('db2');
    await vi.waitFor(async () => expect(await suite.site.running('db2', sleep)).toBe(1), { timeout: 10_000 });
    await suite.desk.to('db1');
    await diary.untilPhase('superseded db2');
    await vi.waitFor(async () => expect(await suite.site.sessions('db2')).toBe(0), { timeout: 10_000 });
    expect(await pool.port()).toBe(suite.site.port('db1'));
  });

  test('as many connections as are busy are open and warm before the swap', async () => {
    await suite.desk.to('db1');
    const warm = ['SELECT n FROM counter', 'SELECT 2'];
    const { pool, diary } = suite.open({ session: sessionOf(suite.kind), warm } as PoolExtras);
    const held = await Promise.all(Array.from({ length: 5 }, () => pool.hold()));
    await suite.desk.to('db2');
    await diary.untilPhase('post db2');
    expect(diary.switches.find(({ phase }) => phase === 'in progress')?.prepared).toBe(5);
    expect(pool.counters.connectionsPrepared).toBe(5);
    expect(await suite.site.sessions('db2')).toBeGreaterThanOrEqual(5);
    const shown =
      suite.kind === 'postgres' ? 'SHOW statement_timeout' : 'SELECT @@SESSION.wait_timeout AS wait_timeout';
    expect(await pool.run(shown)).toEqual([
      suite.kind === 'postgres' ? { statement_timeout: '41s' } : { wait_timeout: 4321 },
    ]);
    for (const connection of held) connection.release();
    await diary.untilPhase('completed db2');
  });
});

/** A statement that does not end by itself. */
function sleepOf(kind: SiteKind): string {
  return kind === 'postgres' ? 'SELECT pg_sleep(600)' : 'SELECT SLEEP(600) FROM counter';
}

function sessionOf(kind: SiteKind): Record<string, string | number> {
  return kind === 'postgres' ? { statement_timeout: '41s' } : { wait_timeout: 4321 };
}
