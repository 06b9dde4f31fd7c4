import { readFileSync } from 'node:fs';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { means } from '../../src/engines/mysql/hot-part.ts';
import { type MysqlCluster, startMysqlCluster } from '../../src/lab/mysql-cluster.ts';
import { runScript } from '../../src/lab/mysql-script.ts';
import type { MysqlServer } from '../../src/lab/mysql-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { agentMetrics } from '../../src/metrics/agent-metrics.ts';
import { mysqlKinds } from './mysql-kinds.ts';
import { seriesValue } from './promql.ts';
import { onMysql, RealAgents } from './real-agents.ts';
import { testServers } from './servers.ts';

const setup = readFileSync(new URL('../../sql/mysql/setup.sql', import.meta.url), 'utf8');
const vms = [
  { vm: 'app1', applicationName: 'app1' },
  { vm: 'app2', applicationName: 'app2' },
];

/** A whole migration between two logical replicas, its effect measured by the server's own counters. */
describe.each(mysqlKinds)('a migration between two replicas of %s', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let cluster: MysqlCluster;
  let agents: RealAgents;
  let target: MysqlServer;
  let metricsUrl: string;
  const open: Connection[] = [];

  beforeAll(async () => {
    cluster = await startMysqlCluster({
      owned,
      kind,
      replicas: ['db1', 'db2'],
      settings: { innodb_buffer_pool_size: '64M' },
      load: async (connection) => {
        await connection.query('CREATE TABLE digits (d int PRIMARY KEY)');
        await connection.query('INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)');
        const rows =
          'SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS n FROM digits a, digits b, digits c, digits e';
        for (const table of ['items', 'other', 'resident', 'filler']) {
          await connection.query(
            `CREATE TABLE ${table} (id int PRIMARY KEY, grp int, pad varchar(1000), KEY grp_idx (grp))`,
          );
          await connection.query(`INSERT INTO ${table} SELECT n, n % 500, REPEAT('x', 900) FROM (${rows}) r`);
          await connection.query(`ANALYZE TABLE ${table}`);
        }
        await connection.query("SET @forewarm_password = 'secret', @forewarm_database = 'app'");
        await runScript(connection, setup);
        await connection.query("CREATE USER reader IDENTIFIED BY ''");
        await connection.query('GRANT SELECT ON app.* TO reader');
      },
    });
    target = cluster.server('db2');
    for (const server of cluster.replicas) await server.restart();
    await cluster.waitForReplicas();
    agents = await RealAgents.connect({
      url: testServers().nats,
      prefix: `${kind}${process.pid}`,
      databaseOf: onMysql(cluster),
    });
    await agents.start('db1', vms);
    metricsUrl = `http://127.0.0.1:${await agents.startListening('db2', vms)}/metrics`;
  }, 180_000);

  afterAll(async () => {
    await agents?.close();
    for (const connection of open) connection.destroy();
    await owned.dispose();
  });

  /** Prepared reads by key and by the secondary index, as a VM, whose connection stays. */
  async function read(name: string, vm: string, table: string): Promise<void> {
    const connection = await cluster.server(name).connect({ user: 'reader', programName: vm });
    open.push(connection);
    for (let round = 0; round < 4; round++) {
      for (let at = 0; at < 10_000; at += 100) {
        await connection.execute(`SELECT SUM(LENGTH(pad)) FROM ${table} WHERE id BETWEEN ? AND ?`, [
          at,
          at + 99,
        ]);
        await connection.execute(`SELECT SUM(LENGTH(pad)) FROM ${table} WHERE grp = ?`, [at % 500]);
      }
    }
  }

  const counted = async (what: string) => {
    const [row] = await target.query<{ Value: string }>('SHOW GLOBAL STATUS LIKE ?', [what]);
    return Number(row?.Value);
  };

  const pagesRead = () => counted('Innodb_buffer_pool_reads');

  /** What a server's pool holds of a table and its indexes, counted apart from Forewarm's own statements. */
  const pagesOf = async (table: string, which: 'all' | 'young' = 'all') => {
    const [row] = await target.query<{ pages: string }>(
      `SELECT COUNT(*) AS pages FROM information_schema.INNODB_BUFFER_PAGE
        WHERE TABLE_NAME LIKE CONCAT('%\`', ?, '\`%') ${which === 'young' ? "AND IS_OLD IN ('NO', '0')" : ''}`,
      [table],
    );
    return Number(row?.pages);
  };

  /** The target's pool in pages. */
  const poolCounts = async () => {
    const [row] = await target.query<Record<'free' | 'old' | 'keptFree', string>>(
      `SELECT SUM(FREE_BUFFERS) AS free, SUM(OLD_DATABASE_PAGES) AS old,
              @@GLOBAL.innodb_lru_scan_depth AS keptFree FROM information_schema.INNODB_BUFFER_POOL_STATS`,
    );
    const { free, old, keptFree } = row!;
    return { free: Number(free), old: Number(old), keptFree: Number(keptFree) };
  };

  it("brings the VM's indexes, so that its reads go to no disk, and none of another VM's", async () => {
    await read('db1', 'app1', 'items');
    await read('db1', 'app2', 'other');
    await agents.profiled('db1', 'app1', ['items', 'items.grp_idx']);
    await agents.profiled('db1', 'app2', ['other']);
    const strangers = await pagesOf('other');
    await agents.publish('m1');
    const ready = await agents.reached('m1', 'ready');
    expect(ready).toMatchObject({ strategy: 'blocks', means: 'key ranges', deadlineMet: true });
    expect(ready.relations?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['items', 'items.grp_idx']),
    );
    expect(ready.relations?.map(({ name }) => name)).not.toContain('other');
    expect(ready.relations?.map(({ how }) => how)).toEqual(ready.relations?.map(() => means.whole));
    expect(ready.residency).toBeGreaterThan(0.95);
    expect(await pagesOf('items')).toBeGreaterThan(600);
    expect((await pagesOf('other')) - strangers).toBeLessThanOrEqual(1);

    const before = await pagesRead();
    await read('db2', 'app1', 'items');
    expect((await pagesRead()) - before).toBeLessThan(20);
    await agents.say('m1', 'arrived');
    const done = await agents.reached('m1', 'completed');
    expect(await agents.broker.routes.get('app1')).toMatchObject({ replica: 'db2', migration: 'm1' });
    // What InnoDB does not tell is left out, not told as nothing.
    expect(Object.keys(done.afterArrival!)).toEqual(['windowMs']);

    const text = await (await fetch(metricsUrl)).text();
    for (const { name, type } of Object.values(agentMetrics))
      expect(text).toContain(`# TYPE ${name} ${type}\n`);
    const vm = 'app1';
    expect(seriesValue(text, 'forewarm_database_info', { engine: kind, means: 'key ranges' })).toBe(1);
    expect(seriesValue(text, 'forewarm_migrations_total', { vm, state: 'completed' })).toBe(1);
    expect(seriesValue(text, 'forewarm_read_blocks_total', { vm })).toBe(done.warmed?.blocks);
    expect(seriesValue(text, 'forewarm_query_seconds_count', { query: 'read-keys' })).toBeGreaterThan(0);
    expect(seriesValue(text, 'forewarm_replaying')).toBe(1);
    expect(seriesValue(text, 'forewarm_useful_ratio', { vm })).toBeUndefined();
  });

  it("keeps within free and old pages of a full pool, and leaves the residents' young ones", async () => {
    await target.restart();
    await cluster.waitForReplicas();
    // Only a pool that has evicted tells old from young; young is what is used again after a second.
    for (const table of ['filler', 'other', 'filler', 'resident']) await read('db2', 'guest', table);
    for (let time = 0; time < 2; time++) {
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      await read('db2', 'guest', 'resident');
    }
    const young = await pagesOf('resident', 'young');
    expect(young).toBeGreaterThan(200);
    const before = await counted('Innodb_pages_read');
    const pool = await poolCounts();
    await agents.publish('m2');
    const ready = await agents.reached('m2', 'ready');
    expect(ready.plan!.blocks).toBeLessThanOrEqual(ready.plan!.budgetBlocks!);
    // For each page that is read, one is thrown out once no more are free than the server keeps free: old ones, then young ones.
    const kept = Math.min(pool.free, pool.keptFree);
    expect(ready.plan!.budgetBlocks).toBeLessThan(pool.old + pool.free - kept);
    // By several connections at once, and with what the server reads ahead: an extent behind each index.
    const brought = (await counted('Innodb_pages_read')) - before;
    expect(brought).toBeLessThan(1.2 * ready.warmed!.blocks + 64 * ready.relations!.length);
    expect(await pagesOf('resident')).toBeGreaterThan(young * 0.97);
    await agents.say('m2', 'aborted');
    await agents.reached('m2', 'aborted');
    const setting = 'SELECT @@GLOBAL.innodb_old_blocks_time AS ms';
    await expect
      .poll(async () => Number((await target.query<{ ms: number }>(setting))[0]?.ms), { timeout: 10_000 })
      .toBe(1_000);
  });

  it("warms all again where the target's server is restarted in the hold", async () => {
    await target.restart();
    await cluster.waitForReplicas();
    await agents.publish('m4');
    await agents.reached('m4', 'ready');
    await target.restart();
    await cluster.waitForReplicas();
    await expect.poll(() => pagesOf('items'), { timeout: 40_000 }).toBeGreaterThan(600);
    expect((await agents.broker.records.get('m4'))?.value.state).toBe('ready');
    await agents.say('m4', 'aborted');
    await agents.reached('m4', 'aborted');
  });

  it.each(['IO_THREAD', 'SQL_THREAD'])('is not ready while the %s is stopped', async (thread) => {
    const stop = `STOP ${kind === 'mysql' ? 'REPLICA' : 'SLAVE'} ${thread}`;
    const id = `m3-${thread}`;
    await target.query(stop);
    // The agent looks twice a second.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    try {
      await agents.publish(id, { deadline: new Date(Date.now() + 6_000).toISOString() });
      await agents.reached(id, 'warming');
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      const record = (await agents.broker.records.get(id))?.value;
      expect(record?.readyAt).toBeUndefined();
    } finally {
      await target.query(stop.replace('STOP', 'START'));
    }
    await agents.reached(id, 'ready');
    await agents.say(id, 'aborted');
  });
});
