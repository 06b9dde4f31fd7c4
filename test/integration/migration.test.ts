import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { type PostgresCluster, startPostgresCluster } from '../../src/lab/postgres-cluster.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { setupSql } from './postgres-engines.ts';
import { onPostgres, poolOf, RealAgents } from './real-agents.ts';
import { testServers } from './servers.ts';

/** A whole migration on a real cluster, its effect measured apart from Forewarm. */

const owned = new OwnedProcesses({ handleSignals: false });
let cluster: PostgresCluster;
let agents: RealAgents;
let source: PostgresServer;
let target: PostgresServer;
const vms = [
  { vm: 'app1', user: 'app1' },
  { vm: 'app2', user: 'app2' },
];

beforeAll(async () => {
  cluster = await startPostgresCluster({
    owned,
    replicas: ['db1', 'db2'],
    settings: { shared_buffers: '64MB' },
    load: async (client) => {
      await client.query(setupSql);
      await client.query(`
        CREATE TABLE items (id int PRIMARY KEY, pad text);
        INSERT INTO items SELECT g, repeat('x', 900) FROM generate_series(1, 20000) g;
        CREATE TABLE other (id int PRIMARY KEY, pad text);
        INSERT INTO other SELECT g, repeat('y', 900) FROM generate_series(1, 8000) g;
        CREATE TABLE resident (id int PRIMARY KEY, pad text);
        INSERT INTO resident SELECT g, repeat('z', 900) FROM generate_series(1, 12000) g`);
      await client.query('VACUUM ANALYZE');
    },
  });
  source = cluster.server('db1');
  target = cluster.server('db2');
  for (const role of ['app1', 'app2', 'guest']) await cluster.addRole(role);
  await cluster.waitForReplay();
  agents = await RealAgents.connect({
    url: testServers().nats,
    prefix: `mig${process.pid}`,
    databaseOf: onPostgres(cluster),
  });
  await agents.start('db1', vms);
  await agents.start('db2', vms);
}, 60_000);

afterAll(async () => {
  await agents?.close();
  await owned.dispose();
});

/** Point reads of rows `from`..`to` at a server, `times` over, as a role. */
async function read(
  server: string,
  role: string,
  rows: { readonly table: string; readonly from: number; readonly to: number; readonly times: number },
): Promise<void> {
  const client = await cluster.server(server).connect({ role, applicationName: role });
  const { table, from, to, times } = rows;
  for (let round = 0; round < times; round++) {
    await client.query({
      text: `SELECT length(pad) FROM ${table} WHERE id BETWEEN $1 AND $2`,
      values: [from, to],
    });
  }
  await client.end();
}

describe('a migration between two physical replicas', () => {
  it("brings the VM's blocks and their heat, and no block of another VM's", async () => {
    await read('db1', 'app1', { table: 'items', from: 1, to: 4_000, times: 8 });
    await read('db1', 'app1', { table: 'items', from: 10_001, to: 12_000, times: 1 });
    await read('db1', 'app2', { table: 'other', from: 1, to: 8_000, times: 4 });
    await agents.profiled('db1', 'app1', ['items', 'items_pkey']);
    await agents.profiled('db1', 'app2', ['other']);
    await agents.publish('m1');
    const ready = await agents.reached('m1', 'ready');

    const at = { source: await poolOf(source, 'items'), target: await poolOf(target, 'items') };
    expect(at.source.size).toBeGreaterThan(500);
    const missing = [...at.source.keys()].filter((block) => !at.target.has(block));
    expect(missing).toEqual([]);
    const needless = [...at.target.keys()].filter((block) => !at.source.has(block));
    expect(needless).toEqual([]);
    const hot = [...at.source].filter(([, usage]) => usage === 5).map(([block]) => block);
    const cool = [...at.source].filter(([, usage]) => usage === 1).map(([block]) => block);
    expect(hot.length).toBeGreaterThan(100);
    expect(cool.length).toBeGreaterThan(100);
    // The order of heat follows as soon as ready is said.
    await expect
      .poll(async () => {
        const held = await poolOf(target, 'items');
        return [...hot.map((block) => held.get(block) === 5), ...cool.map((block) => held.get(block) === 1)];
      })
      .not.toContain(false);
    expect((await poolOf(target, 'other')).size).toBe(0);
    expect((await poolOf(target, 'other_pkey')).size).toBe(0);

    expect(ready).toMatchObject({ strategy: 'blocks', means: 'pg_prewarm', deadlineMet: true });
    expect(ready.relations?.map(({ name }) => name)).toEqual(expect.arrayContaining(['items', 'items_pkey']));
    expect(ready.relations?.map(({ name }) => name)).not.toContain('other');
  });

  it('follows new heat in the hold, and reports what it was worth after the arrival', async () => {
    await read('db1', 'app1', { table: 'items', from: 15_001, to: 16_000, times: 2 });
    const wanted = [...(await poolOf(source, 'items')).keys()];
    await expect
      .poll(
        async () => {
          const held = await poolOf(target, 'items');
          return wanted.filter((block) => !held.has(block)).length;
        },
        { timeout: 20_000 },
      )
      .toBe(0);
    await agents.say('m1', 'arrived');
    await agents.reached('m1', 'arrived');
    await read('db2', 'app1', { table: 'items', from: 1, to: 4_000, times: 3 });
    await read('db2', 'app1', { table: 'items', from: 18_001, to: 19_000, times: 1 });
    const done = await agents.reached('m1', 'completed');
    expect(await agents.broker.routes.get('app1')).toMatchObject({
      replica: 'db2',
      epoch: 1,
      migration: 'm1',
    });
    // 1,000 rows that nobody had warmed lie in about 120 blocks; the rest was there.
    expect(done.afterArrival?.blocksRead).toBeGreaterThan(80);
    expect(done.afterArrival?.blocksRead).toBeLessThan(200);
    expect(done.afterArrival?.hitRatio).toBeGreaterThan(0.8);
    // Most were at the greatest heat already, which cannot rise: of the others any part may have been used.
    expect(done.afterArrival?.precision).toBeGreaterThanOrEqual(0);
  });

  it("plans within free and cold buffers, and leaves the residents' hot ones", async () => {
    await target.restart();
    await read('db2', 'guest', { table: 'resident', from: 1, to: 12_000, times: 6 });
    const before = await poolOf(target, 'resident');
    await read('db1', 'app1', { table: 'items', from: 1, to: 20_000, times: 2 });
    await read('db1', 'app2', { table: 'other', from: 1, to: 8_000, times: 8 });
    await agents.publish('m2', { vm: 'app1' });
    await agents.publish('m3', { vm: 'app2' });
    const records = [await agents.reached('m2', 'ready'), await agents.reached('m3', 'ready')];
    const after = await poolOf(target, 'resident');
    const hot = [...before].filter(([, usage]) => usage >= 2).map(([block]) => block);
    expect(hot.length).toBeGreaterThan(1_000);
    expect(hot.filter((block) => !after.has(block))).toEqual([]);
    const readBlocks = records.reduce((sum, record) => sum + (record.warmed?.blocks ?? 0), 0);
    expect(readBlocks).toBeLessThan(8_192 * 0.8);
    for (const record of records) {
      const { blocks, residentBlocks, skippedBlocks, osBlocks } = record.plan!;
      expect(blocks + residentBlocks! + osBlocks! + skippedBlocks).toBeGreaterThanOrEqual(
        record.workSet!.blocks,
      );
    }
    await agents.say('m2', 'aborted');
    await agents.say('m3', 'aborted');
    await agents.reached('m2', 'aborted');
    await agents.reached('m3', 'aborted');
  });

  it('warms whole relations from the published profile while the source agent is away', async () => {
    await agents.stop('db1');
    await target.restart();
    await agents.publish('m4', { vm: 'app2' });
    const ready = await agents.reached('m4', 'ready');
    expect(ready).toMatchObject({ strategy: 'relations', workSet: { origin: 'profile' } });
    const [size] = await target.query<{ blocks: number }>(
      "SELECT pg_relation_size('other')::int / 8192 AS blocks",
    );
    expect((await poolOf(target, 'other')).size).toBe(size?.blocks);
    expect((await poolOf(target, 'items')).size).toBe(0);
    await agents.say('m4', 'aborted');
  });
});
