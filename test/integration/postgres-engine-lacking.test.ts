import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/engine.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { type PostgresCluster, startPostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { blockCount, emptyRanges } from '../../src/planning/block-ranges.ts';
import type { WorkSetRelation } from '../../src/planning/work-set.ts';
import {
  codeOf,
  engineAt,
  engineBy,
  major,
  profiled,
  quiet,
  residentAt,
  restartCold,
  setupSql,
} from './postgres-engines.ts';

const owned = new OwnedProcesses({ handleSignals: false });
let cluster: PostgresCluster;
let db1: Engine;

const engineOn = (name: string, options: Parameters<typeof engineAt>[1] = {}) =>
  engineAt(cluster.server(name), options);

beforeAll(async () => {
  cluster = await startPostgresCluster({
    ...{ owned, replicas: ['db1', 'db2'], major, settings: quiet },
    load: async (client) => void (await client.query(setupSql)),
  });
  await cluster.primary.query('CREATE DATABASE bare');
  await cluster.primary.query('CREATE ROLE nobody LOGIN');
  await cluster.primary.query(
    `CREATE TABLE wide (id int PRIMARY KEY, pad text);
     INSERT INTO wide SELECT g, repeat('y', 400) FROM generate_series(1, 90000) g;
     CREATE INDEX wide_desc ON wide (id DESC, pad) WHERE id > 80000;
     GRANT SELECT ON wide TO PUBLIC`,
    [],
    { database: 'bare' },
  );
  await cluster.primary.query('VACUUM wide', [], { database: 'bare' });
  await restartCold(cluster);
  db1 = engineOn('db1');
});

afterAll(async () => {
  await db1?.close();
  await owned.dispose();
});

describe('without what it needs, the engine', () => {
  it('reads exact blocks of a table by TID ranges, which stay, and a whole index', async () => {
    const engine = engineOn('db2', { databases: ['bare', 'app'] });
    try {
      const identity = await engine.identify();
      expect(identity).toMatchObject({ means: 'scan', canWarm: true });
      expect(identity.degraded.join()).toContain('pg_prewarm is missing');
      const workSet = await db1.workSet('app1', []);
      const bare = (name: string, kind: 'table' | 'index'): WorkSetRelation => ({
        ...{ database: 'bare', schema: 'public', name, kind, share: 0.1 },
        ...{ fork: 'main', filenode: '', sizeBlocks: 0, ranges: emptyRanges },
      });
      const matches = await engine.match({
        ...workSet,
        relations: [bare('wide', 'table'), bare('wide_pkey', 'index'), bare('wide_desc', 'index')],
      });
      const catalog = { ...bare('pg_proc', 'table'), schema: 'pg_catalog', catalog: true };
      // A scan would not bring back what it was asked for.
      expect(await engine.match({ ...workSet, relations: [catalog] })).toEqual([]);
      const [table, pkey, desc] = matches.map(({ local }) => local!);
      // Over a quarter of the pool: a plain sequential scan would go through a ring.
      expect(table!.sizeBlocks).toBeGreaterThan(identity.poolBlocks / 4);
      const wanted = [0, 4200, 4500, 4501];
      const result = await engine.warm({ relation: table!, tier: 'pool', readThrough: [], wanted });
      expect(result.blocks).toBe(4201);
      const resident = await residentAt(engine, table!);
      expect(blockCount(resident)).toBe(4201);
      for (const index of [pkey!, desc!]) {
        const whole = await engine.warm({
          relation: index,
          tier: 'pool',
          readThrough: [],
          wanted: [0, index.sizeBlocks],
        });
        expect(whole.blocks, index.name).toBe(index.sizeBlocks);
        const held = blockCount(await residentAt(engine, index));
        expect(held / index.sizeBlocks, index.name).toBeGreaterThan(0.95);
      }
    } finally {
      await engine.close();
    }
  });

  it('names every fault at once, each with its remedy', async () => {
    const engine = engineOn('db1', { role: 'nobody', databases: ['bare', 'no_such_db'] });
    try {
      const findings = await engine.check();
      const faults = findings.filter(({ level }) => level === 'fault');
      const text = JSON.stringify(faults);
      for (const part of [
        'pg_prewarm',
        'pg_buffercache',
        'pg_stat_statements',
        'pg_monitor',
        'pg_read_all_data',
      ]) {
        expect(text).toContain(part);
      }
      expect(text).toContain('no_such_db');
      expect(text).toContain('on the primary');
      for (const fault of faults) expect(fault.remedy, fault.message).toBeTruthy();
      expect((await engine.identify()).canWarm).toBe(false);
      const workSet = await engine.workSet('app1', [profiled('wide', { database: 'bare' })]);
      expect(workSet.blocksKnown).toBe(false);
      expect(workSet.relations[0]?.sizeBlocks).toBeGreaterThan(1000);
    } finally {
      await engine.close();
    }
    expect((await db1.check()).filter(({ level }) => level === 'fault')).toEqual([]);
  });

  it('says what is wrong with a role, a database or an address, and never the URL', async () => {
    const unknownRole = engineOn('db1', { role: 'nonesuch' });
    const down = engineBy('db9', 'postgres://forewarm:hush@127.0.0.1:9/app');
    expect(await codeOf(unknownRole.identify())).toBe('database_denied');
    expect(await codeOf(down.identify())).toBe('database_unreachable');
    expect(JSON.stringify(await down.check())).not.toContain('hush');
    await unknownRole.close();
    await down.close();
  });
});
