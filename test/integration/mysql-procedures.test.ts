import { readFileSync } from 'node:fs';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileVmRules } from '../../src/attribution/vm-rules.ts';
import type { QueryListener } from '../../src/engines/engine.ts';
import { Admission } from '../../src/engines/mysql/admission.ts';
import { check } from '../../src/engines/mysql/check.ts';
import { createMysqlConnections, type MysqlConnections } from '../../src/engines/mysql/connections.ts';
import { ExactCounts } from '../../src/engines/mysql/exact-counts.ts';
import { indexKey } from '../../src/engines/mysql/index-usage.ts';
import { ObservedSessions } from '../../src/engines/mysql/observed-sessions.ts';
import { type MysqlCluster, startMysqlCluster } from '../../src/lab/mysql-cluster.ts';
import { runScript } from '../../src/lab/mysql-script.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { mysqlKinds } from './mysql-kinds.ts';

const setup = readFileSync(new URL('../../sql/mysql/setup.sql', import.meta.url), 'utf8');

describe.each(mysqlKinds)('what the procedures of setup.sql change for a while on %s', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let cluster: MysqlCluster;
  const db1 = () => cluster.server('db1');

  beforeAll(async () => {
    cluster = await startMysqlCluster({
      ...{ owned, kind, replicas: ['db1'], settings: { innodb_buffer_pool_size: '128M' } },
      load: async (connection) => {
        for (const name of ['items', 'others']) {
          await connection.query(`CREATE TABLE ${name} (id int PRIMARY KEY, grp int, KEY grp_idx (grp))`);
          await connection.query(`INSERT INTO ${name} VALUES (1, 1), (2, 2), (3, 3)`);
        }
        for (const user of ['app1', 'app2']) {
          await connection.query("CREATE USER ?@'%' IDENTIFIED BY 'secret'", [user]);
          await connection.query("GRANT SELECT ON app.* TO ?@'%'", [user]);
        }
        await connection.query("SET @forewarm_password = 'secret', @forewarm_database = 'app'");
        await runScript(connection, setup);
      },
    });
    // As a replica of people who are careful.
    await db1().query(kind === 'mysql' ? 'SET GLOBAL super_read_only = 1' : 'SET GLOBAL read_only = 1');
  }, 240_000);

  afterAll(() => owned.dispose());

  const connectionsOf = (onQuery?: QueryListener): MysqlConnections =>
    createMysqlConnections({
      replica: 'db1',
      url: db1().url({ user: 'forewarm', password: 'secret' }),
      ...{ databases: ['app'], statementTimeoutMs: 10_000, logger: silentLogger },
      ...(onQuery === undefined ? {} : { onQuery }),
    });

  /** The session that sleeps in a procedure. */
  const sleeper = async () => {
    const rows = await db1().query<{ id: number }>(
      "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'",
    );
    return rows[0]?.id;
  };

  const setting = async () =>
    Number((await db1().query<{ v: number }>('SELECT @@GLOBAL.innodb_old_blocks_time AS v'))[0]?.v);

  /** Of a full pool, whose server takes part. */
  const admissionOn = (onQuery?: QueryListener) => {
    const connections = createMysqlConnections({
      replica: 'db1',
      url: db1().url({ user: 'forewarm', password: 'secret' }),
      ...{ databases: [], statementTimeoutMs: 10_000, logger: silentLogger },
      ...(onQuery === undefined ? {} : { onQuery }),
    });
    const admission = new Admission(connections, silentLogger);
    admission.update({ freeBlocks: 0, poolBlocks: 8_192 }, { admits: true, oldBlocksTimeMs: 1_000 });
    return { connections, admission };
  };

  it('lets new pages in for a while, and the server takes that back by itself', async () => {
    await expect.poll(setting, { timeout: 10_000 }).toBeGreaterThan(0);
    const before = await setting();
    const caller = await db1().connect({ user: 'forewarm', password: 'secret' });
    const calling = caller.query('CALL forewarm.admit_new_pages(1500)').catch(() => {});
    await expect.poll(setting, { timeout: 5_000 }).toBe(0);
    caller.destroy();
    await calling;
    await expect.poll(setting, { timeout: 10_000 }).toBe(before);
  });

  it('leaves alone what an administrator sets meanwhile', async () => {
    await expect.poll(setting, { timeout: 10_000 }).toBe(1_000);
    const caller = await db1().connect({ user: 'forewarm', password: 'secret' });
    try {
      const calling = caller.query('CALL forewarm.admit_new_pages(1000)');
      await expect.poll(setting, { timeout: 5_000 }).toBe(0);
      await db1().query('SET GLOBAL innodb_old_blocks_time = 5000');
      await calling;
      expect(await setting()).toBe(5_000);
    } finally {
      caller.destroy();
      await db1().query('SET GLOBAL innodb_old_blocks_time = 1000');
    }
  });

  it('lets them in by one call at a time for as long as any of several reads lasts', async () => {
    await expect.poll(setting, { timeout: 10_000 }).toBe(1_000);
    const callers = async () =>
      Number(
        (
          await db1().query<{ n: number }>(
            "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'",
          )
        )[0]?.n,
      );
    let calls = 0;
    const { connections, admission } = admissionOn((name) => {
      if (name === 'admit-new-pages') calls++;
    });
    try {
      const [first, second, third] = [admission.hold(), admission.hold(), admission.hold()];
      await expect.poll(setting, { timeout: 5_000 }).toBe(0);
      expect(await callers()).toBe(1);
      third();
      first();
      // The call under way was made while all three held it, the ones behind it for the second alone.
      await expect.poll(() => calls, { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
      await expect.poll(setting, { timeout: 5_000 }).toBe(0);
      second();
      await expect.poll(setting, { timeout: 10_000 }).toBe(1_000);
      expect(await callers()).toBe(0);
    } finally {
      await connections.close();
    }
  });

  it('takes that back where the session that let them in was killed', async () => {
    await expect.poll(setting, { timeout: 10_000 }).toBe(1_000);
    const { connections, admission } = admissionOn();
    const release = admission.hold();
    try {
      await expect.poll(setting, { timeout: 5_000 }).toBe(0);
      const [caller] = await db1().query<{ id: number }>(
        "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'",
      );
      await db1().query('KILL ?', [caller?.id]);
      await expect.poll(setting, { timeout: 10_000 }).toBe(1_000);
    } finally {
      release();
      await connections.close();
    }
  });

  describe('the statistics of all but one VM', () => {
    const stopped = async () =>
      (
        await db1().query<{ id: number }>(
          "SELECT THREAD_ID AS id FROM performance_schema.threads WHERE INSTRUMENTED = 'NO'",
        )
      ).map(({ id }) => Number(id));
    const isStopped = async () => (await stopped()).length > 1;

    /** What counts app1 and app2 in turn, whenever it is asked to. */
    const counting = (connections: MysqlConnections, everyMs = 1) => {
      const rules = ['app1', 'app2'].map((user) => ({ vm: user, user }));
      const sessions = new ObservedSessions(connections, compileVmRules(rules));
      return { sessions, counts: new ExactCounts({ connections, sessions, logger: silentLogger, everyMs }) };
    };

    /** Reads again and again until the returned function is called. */
    async function reader(user: string, text: string): Promise<() => Promise<void>> {
      const url = new URL(db1().url({ user, password: 'secret' }));
      const connection = await createConnection(url.href);
      let over = false;
      const running = (async () => {
        while (!over) await connection.query(text);
      })();
      // Where the test has failed before, the server ends it.
      running.catch(() => {});
      return async () => {
        over = true;
        await running;
        await connection.end();
      };
    }

    it('stop while it is counted, so that it has its own accesses and nobody else has any of them', async () => {
      const connections = connectionsOf();
      const readers = [
        await reader('app1', 'SELECT grp FROM items FORCE INDEX (PRIMARY) WHERE id = 2'),
        await reader('app2', 'SELECT id FROM items FORCE INDEX (grp_idx) WHERE grp = 2'),
        await reader('app2', 'SELECT grp FROM others WHERE id = 2'),
      ];
      try {
        const { sessions, counts } = counting(connections);
        await sessions.refresh();
        const both = () => counts.of('app1') !== undefined && counts.of('app2') !== undefined;
        // One in which a session begins tells nothing.
        for (let turn = 0; turn < 10 && !both(); turn++) await counts.collect(1);
        expect([...counts.of('app1')!.keys()]).toEqual([indexKey('app', 'items', 'PRIMARY')]);
        expect([...counts.of('app2')!.keys()].sort()).toEqual(
          [indexKey('app', 'items', 'grp_idx'), indexKey('app', 'others', 'PRIMARY')].sort(),
        );
        expect(await stopped()).toEqual([]);
      } finally {
        for (const end of readers) await end();
        await connections.close();
      }
    });

    it.each(['KILL QUERY', 'KILL'])('go on where the call was ended by %s', async (how) => {
      const connections = connectionsOf();
      const end = await reader('app1', 'SELECT grp FROM items WHERE id = 2');
      const { sessions, counts } = counting(connections);
      try {
        await sessions.refresh();
        // Takes up all that is stopped, for its agent has just begun.
        await counts.collect(1);
        // What somebody has stopped since stays so.
        const aside = await reader('app2', 'SELECT 1');
        const [other] = await db1().query<{ id: number }>(
          "SELECT THREAD_ID AS id FROM performance_schema.threads WHERE PROCESSLIST_USER = 'app2'",
        );
        await db1().query("UPDATE performance_schema.threads SET INSTRUMENTED = 'NO' WHERE THREAD_ID = ?", [
          other?.id,
        ]);
        const counted = counts.collect(1);
        await expect.poll(isStopped, { timeout: 10_000 }).toBe(true);
        await expect.poll(sleeper, { timeout: 10_000 }).toBeDefined();
        await db1().query(`${how} ?`, [await sleeper()]);
        await counted;
        await expect.poll(stopped, { timeout: 10_000 }).toEqual([Number(other?.id)]);
        await aside();
      } finally {
        await end();
        await connections.close();
      }
    });

    it('go on by themselves where the agent is gone in the middle', async () => {
      const end = await reader('app1', 'SELECT grp FROM items WHERE id = 2');
      const url = new URL(db1().url({ user: 'forewarm', password: 'secret' }));
      const caller = await createConnection(url.href);
      const calling = caller.query("CALL forewarm.count_alone('', 1500)").catch(() => {});
      await expect.poll(isStopped, { timeout: 10_000 }).toBe(true);
      caller.destroy();
      await calling;
      await expect.poll(stopped, { timeout: 10_000 }).toEqual([]);
      await end();
    });

    it('go on at the next start where the agent and its session were killed', async () => {
      const end = await reader('app1', 'SELECT grp FROM items WHERE id = 2');
      const url = new URL(db1().url({ user: 'forewarm', password: 'secret' }));
      const caller = await createConnection(url.href);
      const calling = caller.query("CALL forewarm.count_alone('', 5000)").catch(() => {});
      await expect.poll(sleeper, { timeout: 10_000 }).toBeDefined();
      await db1().query('KILL ?', [await sleeper()]);
      await calling;
      expect(await isStopped()).toBe(true);
      const connections = connectionsOf();
      try {
        const { counts } = counting(connections);
        await counts.collect(1);
        expect(await stopped()).toEqual([]);
      } finally {
        await connections.close();
        await end();
      }
    });

    it('can be stopped by this role, says the check, which stops none', async () => {
      const connections = connectionsOf();
      try {
        const findings = await check(connections, { exact: true });
        expect(findings.find(({ subject }) => subject === 'observe.exact')).toMatchObject({ level: 'ok' });
        const without = await check(connections, { exact: false });
        expect(without.find(({ subject }) => subject === 'observe.exact')).toBeUndefined();
        expect(await stopped()).toEqual([]);
      } finally {
        await connections.close();
      }
    });

    it('never stop where that was not asked for', async () => {
      const asked: string[] = [];
      const connections = connectionsOf((name) => asked.push(name));
      const end = await reader('app1', 'SELECT grp FROM items WHERE id = 2');
      try {
        const { sessions, counts } = counting(connections, 0);
        await sessions.refresh();
        await counts.collect(1);
        expect(asked).toContain('observed-sessions');
        expect(asked.filter((name) => name.includes('count'))).toEqual([]);
      } finally {
        await end();
        await connections.close();
      }
    });
  });
});
