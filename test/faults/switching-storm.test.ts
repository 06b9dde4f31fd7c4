import { connect } from 'nats';
import { expect, test, vi } from 'vitest';
import type { SitePool } from './support/switch-sites.ts';
import { describeSwitching, type SwitchSuite } from './support/switch-suite.ts';
import { type Diary, underLoad, untilAt } from './support/switch-world.ts';

/**
 * Switches under load, and something breaks in most of them; never the replica that is read. TEST_STORM_TURNS=100 takes
 * some minutes for each kind of server.
 */

const turns = Number(process.env['TEST_STORM_TURNS'] ?? 24);

interface Storm {
  readonly suite: SwitchSuite;
  readonly pool: SitePool;
  readonly diary: Diary;
  /** Breaks what it breaks, and has the pool at `to` in the end. */
  readonly to: string;
  readonly from: string;
}

type Fault = (storm: Storm) => Promise<void>;

const settled = async ({ pool }: Storm) => {
  await vi.waitFor(() => expect(pool.route.phase).toMatch(/completed/), { timeout: 30_000, interval: 5 });
};
const reach = async (storm: Storm) => {
  await untilAt(storm.pool, storm.to, 60_000);
  await settled(storm);
};
const switchTo = async (storm: Storm) => {
  await storm.suite.desk.to(storm.to);
  await reach(storm);
};

const faults: Readonly<Record<string, Fault>> = {
  'nothing breaks': switchTo,
  'two in quick succession': async (storm) => {
    const { desk } = storm.suite;
    await desk.to(storm.to);
    await desk.to('primary');
    await desk.to(storm.to);
    await reach(storm);
  },
  'the target is dead, and lives again': async (storm) => {
    const { suite, pool, to } = storm;
    const { failed } = pool.counters;
    await suite.site.kill(to);
    await suite.desk.to(to);
    await vi.waitFor(() => expect(pool.counters.failed).toBeGreaterThan(failed), { timeout: 30_000 });
    expect(pool.route).toMatchObject({ replica: storm.from, wanted: to });
    await suite.site.start(to);
    await reach(storm);
  },
  'the target lags, and comes after': async (storm) => {
    const { suite, pool, diary, to } = storm;
    const before = diary.switches.length;
    await suite.site.pause(to);
    await suite.site.write('UPDATE counter SET n = n + 1');
    await suite.desk.to(to);
    await vi.waitFor(() => expect(diary.switches.length).toBeGreaterThan(before), { timeout: 30_000 });
    expect(pool.counters.behind).toBe(0);
    await suite.site.resume(to);
    await reach(storm);
  },
  'a replica that the pool does not have comes in between': async (storm) => {
    await storm.suite.desk.to('elsewhere');
    await switchTo(storm);
  },
  'an epoch goes back': async (storm) => {
    const { suite, pool, from } = storm;
    await switchTo(storm);
    const { epochsIgnored } = pool.counters;
    const connection = await connect({ servers: suite.nats.url });
    const routes = await connection.jetstream().views.kv(`${suite.desk.prefix}_routes`);
    const now = await suite.desk.broker.routes.get('app1');
    await routes.put('app1', JSON.stringify({ ...now, replica: from, epoch: 1 }));
    await expect.poll(() => pool.counters.epochsIgnored).toBeGreaterThan(epochsIgnored);
    await routes.put('app1', JSON.stringify(now));
    await connection.close();
    expect(pool.route.replica).toBe(storm.to);
  },
  'NATS starts anew': async (storm) => {
    const { nats, desk } = storm.suite;
    await nats.stop();
    await nats.start();
    await vi.waitFor(() => desk.to(storm.to), { timeout: 30_000, interval: 100 });
    await reach(storm);
  },
  'a client never gives its connection back in time': async (storm) => {
    const { pool, diary } = storm;
    const held = await pool.hold();
    await held.run('BEGIN');
    await held.run('SELECT n FROM counter');
    await switchTo(storm);
    expect(diary.switches.at(-1)).toMatchObject({ phase: 'completed', cut: 1 });
    await expect(held.run('SELECT n FROM counter')).rejects.toThrow();
    held.release();
  },
};

describeSwitching('a switching pool in a storm', (suite) => {
  test('whatever breaks, no query fails', async () => {
    await suite.desk.to('db1');
    const catchUp = { waitMs: 500, otherwise: 'stay' } as const;
    const { pool, diary } = suite.open({ max: 12, drainMs: 1_000, holdMs: 10_000, catchUp });
    await diary.untilNoticed('started');
    const kinds = Object.entries(faults);
    const work = async () => {
      expect(await pool.run('SELECT n FROM counter')).toHaveLength(1);
    };
    const { steps, errors } = await underLoad(16, work, async () => {
      for (let turn = 0; turn < turns; turn++) {
        const [name, fault] = kinds[turn % kinds.length]!;
        const [from, to] = turn % 2 === 0 ? (['db1', 'db2'] as const) : (['db2', 'db1'] as const);
        await fault({ suite, pool, diary, from, to }).catch((error) => {
          throw new Error(`turn ${turn}, ${name}: ${JSON.stringify(pool.route)}`, { cause: error });
        });
        expect(await pool.port()).toBe(suite.site.port(to));
      }
    });
    console.info(`a storm on ${suite.kind}: ${steps} steps`, pool.counters);
    expect(errors).toEqual([]);
    expect(pool.counters).toMatchObject({ fellBack: 0, behind: 0 });
    expect(pool.counters.post).toBeGreaterThanOrEqual(turns);
    // What it holds in the end is what it needs.
    await pool.end();
  }, 900_000);
});
