import { afterAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/engine.ts';
import { dropOsCache } from '../../src/lab/os-cache.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { startPostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { ForewarmError } from '../../src/lib/errors.ts';
import { blockCount, blocksByHeat } from '../../src/planning/block-ranges.ts';
import { engineAt, major, matchOne, profiled, quiet, setupSql } from './postgres-engines.ts';

/** The engine where a block of one server is not the same block of the other, or the pool not all there is. */

const owned = new OwnedProcesses({ handleSignals: false });
afterAll(() => owned.dispose());

describe('a logical replica', () => {
  it('is another cluster: relations match by name, TOAST by its table', async () => {
    const schema = `CREATE TABLE fat (id int PRIMARY KEY, body text);
      ALTER TABLE fat ALTER body SET STORAGE EXTERNAL`;
    const rows = 'INSERT INTO fat SELECT g, repeat(md5(g::text), 300) FROM generate_series(1, 100) g';
    const other = await startPostgresCluster({
      owned,
      replicas: [],
      major,
      settings: { wal_level: 'logical' },
      load: async (client) => {
        await client.query(setupSql);
        await client.query(`CREATE SEQUENCE shifts_oids; ${schema}; ${rows}`);
      },
    });
    const logical = await other.startLogicalReplica('db3', { schema });
    await logical.query(setupSql);
    const engines = [other.primary, logical].map((server) => engineAt(server));
    try {
      const toast = `SELECT reltoastrelid::regclass::text AS name FROM pg_class WHERE relname = 'fat'`;
      const [{ name }] = (await other.primary.query(toast)) as [{ name: string }];
      const [{ name: there }] = (await logical.query(toast)) as [{ name: string }];
      expect(there).not.toBe(name);
      const [source, target] = engines as [Engine, Engine];
      const workSet = await source.workSet('app1', [
        profiled('fat'),
        profiled(name.split('.')[1]!, { schema: 'pg_toast', kind: 'toast', parent: 'public.fat' }),
      ]);
      await expect
        .poll(async () => (await target.match(workSet)).every(({ local }) => (local?.sizeBlocks ?? 0) > 0))
        .toBe(true);
      for (const match of await target.match(workSet)) {
        expect(match).toMatchObject({
          verdict: 'relation',
          reason: expect.stringContaining('another cluster'),
        });
        const relation = match.local!;
        const result = await target.warm({ relation, tier: 'pool', readThrough: [], wanted: [0, 1] });
        expect(result.blocks, relation.name).toBe(1);
      }
    } finally {
      for (const engine of engines) await engine.close();
      await logical.stop();
      await other.stop();
    }
  });
});

describe('the second tier', () => {
  it('carries a work set of twice the pool, by pool and OS cache', async (context) => {
    const settings = { ...quiet, shared_buffers: '16MB' };
    const two = await startPostgresCluster({
      owned,
      replicas: ['db1', 'db2'],
      flavour: 'debian',
      settings,
      load: async (client) => {
        await client.query(setupSql);
        await client.query(
          `CREATE TABLE readings AS SELECT g AS id, repeat('x', 400) AS pad FROM generate_series(1, 73000) g`,
        );
      },
    }).catch((error: unknown) => {
      if (error instanceof ForewarmError && error.code === 'lab_unavailable') return undefined;
      throw error;
    });
    if (two === undefined) return context.skip('PostgreSQL with pgfincore cannot be had on this machine');
    const engines = two.replicas.map((server) => engineAt(server));
    try {
      await two.primary.query('CHECKPOINT');
      await two.waitForReplay();
      for (const server of two.replicas) {
        await server.query('CHECKPOINT');
        await server.stop();
        await dropOsCache(server.dataDir);
        await server.start();
      }
      const [source, target] = engines as [Engine, Engine];
      await two
        .server('db1')
        .query("SELECT pg_prewarm('readings', 'read'), pg_prewarm('readings', 'buffer', 'main', 0, 999)");
      const relation = profiled('readings');
      const workSet = await source.workSet('app1', [relation]);
      expect(workSet.secondTier).toBe('measured');
      const match = await matchOne(target, workSet, 'readings');
      const { ranges, sizeBlocks } = match.wanted;
      const poolBlocks = (await target.identify()).poolBlocks;
      expect(sizeBlocks).toBeGreaterThan(1.9 * poolBlocks);
      expect(blockCount(ranges)).toBe(sizeBlocks);
      expect(blocksByHeat(ranges)[0]).toBe(sizeBlocks - 1000);

      expect(
        blockCount((await matchOne(target, await target.workSet('x', [relation]), 'readings')).wanted.ranges),
      ).toBe(0);
      const local = match.local!;
      await target.warm({ relation: local, tier: 'pool', readThrough: [], wanted: [0, 1000] });
      await target.warm({ relation: local, tier: 'os', readThrough: [], wanted: [1000, sizeBlocks] });
      const after = (await matchOne(target, await target.workSet('x', [relation]), 'readings')).wanted.ranges;
      expect(blockCount(after)).toBe(sizeBlocks);
      expect(blocksByHeat(after)[0]).toBe(sizeBlocks - 1000);
    } finally {
      for (const engine of engines) await engine.close();
      await two.stop();
    }
  });
});
