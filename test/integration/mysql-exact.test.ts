import { readFileSync } from 'node:fs';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { freePort } from '../../src/lab/free-port.ts';
import { type MysqlCluster, startMysqlCluster } from '../../src/lab/mysql-cluster.ts';
import { runScript } from '../../src/lab/mysql-script.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { AgentProcess } from '../faults/support/forewarm-process.ts';
import { mysqlKinds } from './mysql-kinds.ts';
import { testServers } from './servers.ts';

const setup = readFileSync(new URL('../../sql/mysql/setup.sql', import.meta.url), 'utf8');

/** What a statement's text does not tell: the tables are read inside of a function's RETURN. */
describe.each(mysqlKinds)('an agent with observe.exact on %s', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  const prefix = `exact${kind}${process.pid}`;
  let cluster: MysqlCluster;
  let broker: Broker;
  const db1 = () => cluster.server('db1');
  let over = false;
  const loads: Promise<void>[] = [];

  beforeAll(async () => {
    cluster = await startMysqlCluster({
      ...{ owned, kind, replicas: ['db1'] },
      load: async (connection) => {
        for (const name of ['hidden', 'others']) {
          await connection.query(`CREATE TABLE ${name} (id int PRIMARY KEY, grp int, KEY grp_idx (grp))`);
          await connection.query(`INSERT INTO ${name} VALUES (1, 1), (2, 2), (3, 3)`);
        }
        await connection.query('CREATE TABLE plain (id int PRIMARY KEY)');
        await connection.query('INSERT INTO plain VALUES (1), (2)');
        await connection.query(
          `CREATE FUNCTION look(wanted int) RETURNS int READS SQL DATA
             RETURN (SELECT MAX(id) FROM hidden FORCE INDEX (grp_idx) WHERE grp = wanted)`,
        );
        await connection.query("CREATE USER reader IDENTIFIED BY ''");
        await connection.query('GRANT SELECT, EXECUTE ON app.* TO reader');
        await connection.query("SET @forewarm_password = 'secret', @forewarm_database = 'app'");
        await runScript(connection, setup);
      },
    });
    const texts = {
      app1: ['SELECT id FROM plain WHERE id = 2', 'SELECT look(2)'],
      app2: ['SELECT grp FROM others WHERE id = 2'],
    };
    for (const [programName, statements] of Object.entries(texts)) {
      const connection = await db1().connect({ user: 'reader', programName });
      loads.push(readOn(connection, statements));
    }
    broker = await connectBroker({ url: testServers().nats, prefix, name: 'test', logger: silentLogger });
  }, 240_000);

  afterAll(async () => {
    over = true;
    await Promise.allSettled(loads);
    await broker?.close();
    await owned.dispose();
  });

  async function readOn(connection: Connection, statements: readonly string[]): Promise<void> {
    while (!over) for (const text of statements) await connection.query(text);
    await connection.end();
  }

  const startAgent = async () =>
    AgentProcess.start(owned, {
      replica: 'db1',
      nats: { url: testServers().nats, prefix },
      database: {
        engine: kind,
        url: db1().url({ user: 'forewarm', password: 'secret' }),
        databases: ['app'],
      },
      vms: ['app1', 'app2'].map((vm) => ({ vm, applicationName: vm })),
      observe: { interval: '200ms', collect: '500ms', exact: '1s' },
      http: { listen: `127.0.0.1:${await freePort()}` },
    });

  const stopped = async () =>
    (
      await db1().query<{ id: number }>(
        "SELECT THREAD_ID AS id FROM performance_schema.threads WHERE INSTRUMENTED = 'NO'",
      )
    ).map(({ id }) => Number(id));

  const relationsOf = async (vm: string) =>
    (await broker.profiles.get(`db1.${vm}`))?.value.relations.map(({ name }) => name).sort() ?? [];

  it('knows what functions read by counting one VM alone, and no table of the other', async () => {
    const agent = await startAgent();
    try {
      await expect
        .poll(() => relationsOf('app1'), { timeout: 60_000, interval: 300 })
        .toEqual(expect.arrayContaining(['hidden.grp_idx', 'plain']));
      expect(await relationsOf('app1')).not.toContain('others');
      await expect.poll(() => relationsOf('app2'), { timeout: 30_000 }).toEqual(['others']);
      await expect.poll(async () => (await stopped()).length > 0, { timeout: 30_000 }).toBe(true);
    } finally {
      expect(await agent.stop()).toEqual({ code: 0, signal: null });
    }
    await expect.poll(stopped, { timeout: 10_000 }).toEqual([]);
  }, 180_000);

  it('has all sessions counted again after a crash with its session killed, and a restart', async () => {
    // Not of a session, and stopped by an administrator: that stays so.
    const [background] = await db1().query<{ id: number }>(
      `SELECT THREAD_ID AS id FROM performance_schema.threads WHERE TYPE = 'BACKGROUND' LIMIT 1`,
    );
    const ofBackground = `WHERE THREAD_ID = ${Number(background?.id)}`;
    await db1().query(`UPDATE performance_schema.threads SET INSTRUMENTED = 'NO' ${ofBackground}`);
    const agent = await startAgent();
    // The list of processes shows the procedure's definer in place of its caller.
    const caller = async () =>
      (
        await db1().query<{ id: number }>(
          "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'",
        )
      )[0]?.id;
    let id: number | undefined;
    await expect
      .poll(async () => (id = (await stopped()).length > 1 ? await caller() : undefined), {
        timeout: 60_000,
        interval: 20,
      })
      .toBeDefined();
    const killed = db1().query('KILL ?', [id]);
    await agent.kill();
    await killed;
    const left = await stopped();
    expect(left.length).toBeGreaterThan(1);

    const again = await startAgent();
    try {
      await expect.poll(stopped, { timeout: 30_000 }).toEqual([Number(background?.id)]);
    } finally {
      expect(await again.stop()).toEqual({ code: 0, signal: null });
      await db1().query(`UPDATE performance_schema.threads SET INSTRUMENTED = 'YES' ${ofBackground}`);
    }
  }, 180_000);
});
