import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/engine.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { type PostgresCluster, startPostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { blockCount } from '../../src/planning/block-ranges.ts';
import {
  codeOf,
  engineAt,
  major,
  matchOne,
  profiled,
  quiet,
  residentAt,
  restartCold,
  setupSql,
} from './postgres-engines.ts';

const odd = 'Größe "x"; drop';

const owned = new OwnedProcesses({ handleSignals: false });
let cluster: PostgresCluster;
let db1: Engine;
let db2: Engine;

async function load(client: pg.Client): Promise<void> {
  await client.query(setupSql);
  await client.query(`
    CREATE TABLE big (id int PRIMARY KEY, pad text);
    INSERT INTO big SELECT g, repeat('x', 400) FROM generate_series(1, 60000) g;
    CREATE SCHEMA "S.1";
    CREATE TABLE "S.1"."${odd.replaceAll('"', '""')}" AS SELECT * FROM big WHERE id <= 2000;
    CREATE INDEX "Índex" ON "S.1"."${odd.replaceAll('"', '""')}" (id);
    CREATE TABLE parts (id int, pad text) PARTITION BY RANGE (id);
    CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (1000);
    CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (1000) TO (3000);
    INSERT INTO parts SELECT id, pad FROM big WHERE id < 3000;
    CREATE TABLE fat (id int PRIMARY KEY, body text);
    ALTER TABLE fat ALTER body SET STORAGE EXTERNAL;
    INSERT INTO fat SELECT g, repeat(md5(g::text), 300) FROM generate_series(1, 300) g;
    CREATE TABLE doomed AS SELECT * FROM big WHERE id <= 3000;
    CREATE TABLE rewritten AS SELECT * FROM big WHERE id <= 3000;
    CREATE UNLOGGED TABLE fleeting AS SELECT * FROM big WHERE id <= 10;`);
}

beforeAll(async () => {
  cluster = await startPostgresCluster({ owned, replicas: ['db1', 'db2'], major, settings: quiet, load });
  await restartCold(cluster);
  db1 = engineAt(cluster.server('db1'));
  db2 = engineAt(cluster.server('db2'));
});

afterAll(async () => {
  await db1?.close();
  await db2?.close();
  await owned.dispose();
});

describe('identity and health', () => {
  it('knows the cluster, the pool and what it can do', async () => {
    const [one, two] = [await db1.identify(), await db2.identify()];
    expect(one).toMatchObject({ kind: 'postgres', replica: true, canWarm: true, means: 'pg_prewarm' });
    expect(one.degraded).toEqual([]);
    expect(one.systemId).toMatch(/^\d{15,}$/);
    expect(two.systemId).toBe(one.systemId);
    expect(one.poolBlocks * one.blockBytes).toBe(128 * 2 ** 20);
    expect(one.version).toMatch(new RegExp(`^${cluster.binaries.major}\\.`));
  });

  it('tells replay, pause and the sessions of others', async () => {
    await cluster.waitForReplay();
    expect(await db1.health()).toMatchObject({ lagMs: 0, replaying: true, active: 0, ioWaiting: 0 });
    await cluster.server('db1').query('SELECT pg_wal_replay_pause()');
    await cluster.primary.query('CREATE TABLE later AS SELECT 1 AS x');
    await expect.poll(async () => (await db1.health()).lagMs).toBeGreaterThan(0);
    expect((await db1.health()).replaying).toBe(false);
    await cluster.server('db1').query('SELECT pg_wal_replay_resume()');
    const busy = await cluster.server('db1').connect();
    const sleeping = busy.query('SELECT pg_sleep(3)').catch(() => {});
    await expect.poll(async () => (await db1.health()).active).toBe(1);
    expect((await db1.health()).replaying).toBe(true);
    await cluster
      .server('db1')
      .query(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3)%' AND pid <> pg_backend_pid()",
      );
    await sleeping;
    await busy.end();
    expect((await db1.health()).statements?.calls).toBeGreaterThan(0);
  });
});

describe('from a source to a target', () => {
  it('carries exactly the cached blocks with their heat', async () => {
    const source = cluster.server('db1');
    const [row] = (await source.query(
      `SELECT pg_prewarm('big', 'buffer', 'main', 100, 149) AS a, pg_prewarm('big', 'buffer', 'main', 120, 129) AS b,
              pg_prewarm('big', 'buffer', 'main', 1000, 1000) AS c`,
    )) as [{ a: string }];
    expect(row.a).toBe('50');
    const workSet = await db1.workSet('app1', [profiled('big')]);
    expect(workSet).toMatchObject({ source: 'db1', blocksKnown: true, secondTier: 'unknown' });
    const match = await matchOne(db2, workSet, 'big');
    expect(match.verdict).toBe('blocks');
    const { ranges } = match.wanted;
    expect([...ranges.starts]).toEqual([100, 120, 130, 1000]);
    expect([...ranges.lengths]).toEqual([20, 10, 20, 1]);
    expect([...ranges.heats]).toEqual([1, 2, 1, 1]);

    const relation = match.local!;
    expect(blockCount(await residentAt(db2, relation))).toBe(0);
    const before = await db2.poolState([relation]);
    const wanted = [100, 150, 1000, 1001];
    const result = await db2.warm({ relation, tier: 'pool', readThrough: [100, 160], wanted });
    expect(result.blocks).toBe(51);
    await db2.raiseHeat(relation, [120, 130]);
    const resident = await residentAt(db2, relation);
    const heatOf = (block: number) => {
      const at = resident.starts.findIndex(
        (start, i) => start <= block && block < start + resident.lengths[i]!,
      );
      return at < 0 ? undefined : resident.heats[at];
    };
    expect([heatOf(100), heatOf(125), heatOf(149), heatOf(1000)]).toEqual([1, expect.any(Number), 1, 1]);
    expect(heatOf(125)).toBeGreaterThanOrEqual(2);
    expect(heatOf(999)).toBeUndefined();
    const after = await db2.poolState([relation]);
    expect(before.freeBlocks - after.freeBlocks).toBeGreaterThanOrEqual(51);
    expect(after.blocksByHeat.reduce((sum, n) => sum + n, 0) + after.freeBlocks).toBe(after.poolBlocks);
    expect(after.osCacheBytes).toBeGreaterThan(0);
  });

  it('walks its pool ahead for what is foreseen, once, and again for what was not', async () => {
    const workSet = await db1.workSet('app1', [profiled('big'), profiled('parts_a')]);
    const big = (await matchOne(db2, workSet, 'big')).local!;
    const other = (await matchOne(db2, workSet, 'parts_a')).local!;
    const walks = async () => {
      const [row] = await cluster.server('db2').query<{ calls: string | null }>(
        `SELECT sum(calls)::text AS calls FROM pg_stat_statements
          WHERE query LIKE '%int2send%' AND query LIKE '%pg_buffercache%' AND userid = 'forewarm'::regrole`,
      );
      return Number(row?.calls ?? 0);
    };
    const before = await walks();
    await db2.foresee([profiled('big')], 2);
    const foreseen = await db2.poolState([big]);
    expect(await walks()).toBe(before + 1);
    expect((await db2.poolState([big])).resident).toEqual(foreseen.resident);
    expect(await walks()).toBe(before + 2);
    await db2.foresee([profiled('big')], 2);
    expect((await db2.poolState([big, other])).resident.size).toBe(2);
    expect(await walks()).toBe(before + 4);
    await db2.foresee([profiled('no such table')], 2);
    expect((await db2.poolState([big])).resident).toEqual(foreseen.resident);
  });

  it('reads a long span whole, and into the OS cache without touching the pool', async () => {
    const workSet = await db1.workSet('app1', [profiled('big')]);
    const relation = (await matchOne(db2, workSet, 'big')).local!;
    const held = blockCount(await residentAt(db2, relation));
    const os = await db2.warm({ relation, tier: 'os', readThrough: [], wanted: [1200, 1300] });
    expect(os.blocks).toBe(100);
    expect(blockCount(await residentAt(db2, relation))).toBe(held);
    const pool = await db2.warm({
      relation,
      tier: 'pool',
      readThrough: [],
      wanted: [1100, 1700, 2000, 2040],
    });
    expect(pool.blocks).toBe(640);
    expect(blockCount(await residentAt(db2, relation))).toBe(held + 640);
    // Behind the end: clipped, not an error.
    const beyond = await db2.warm({
      relation,
      tier: 'pool',
      readThrough: [],
      wanted: [relation.sizeBlocks - 2, relation.sizeBlocks + 50],
    });
    expect(beyond.blocks).toBe(2);
  });

  it('reads bridged runs through the OS cache, by a function that gives away nothing but a count', async () => {
    const server = cluster.server('db2');
    await cluster.addRole('stranger');
    const as = (role: string, text: string) =>
      server.connect({ role }).then((client) => client.query(text).finally(() => client.end()));
    const call = "SELECT forewarm.read_through('big'::regclass, 'main', '{0,30}', '{20,40}') AS blocks";
    expect((await as('forewarm', call)).rows).toEqual([{ blocks: '30' }]);
    const index = call.replaceAll("'big'", "'big_pkey'");
    expect((await as('forewarm', index)).rows).toEqual([{ blocks: '30' }]);
    const [{ size }] = (await server.query("SELECT pg_relation_size('big')::int / 8192 AS size")) as [
      { size: number },
    ];
    const beyond = call.replaceAll("'{20,40}'", `'{20,${size + 5_000}}'`);
    expect((await as('forewarm', beyond)).rows).toEqual([{ blocks: `${20 + size - 30}` }]);
    for (const [spans, blocks] of [
      ["'{-10}', '{5}'", 5],
      ["'{-10}', '{-5}'", 0],
      ["'{9}', '{3}'", 0],
      ["'{0}', '{9223372036854775807}'", size],
    ] as const) {
      const odd = call.replace("'{0,30}', '{20,40}'", spans);
      expect((await as('forewarm', odd)).rows, spans).toEqual([{ blocks: `${blocks}` }]);
    }
    expect((await as('forewarm', call.replace("'main'", "'init'"))).rows).toEqual([{ blocks: '0' }]);
    expect((await as('forewarm', call.replace("'big'::regclass", '1'))).rows).toEqual([{ blocks: '0' }]);
    await expect(as('stranger', call)).rejects.toThrow(/permission denied/);
  });

  it.each([
    ['through', 'forewarm.read_through(oid, text, int8[], int8[])', 'forewarm', undefined],
    ['at a pace', 'pg_sleep(float8)', 'PUBLIC', { msPerBlock: 1_000, pieceBlocks: 8 }],
  ])('reads on where it may not read %s any more', async (_, name, role, pace) => {
    const workSet = await db1.workSet('app1', [profiled('big')]);
    const relation = (await matchOne(db2, workSet, 'big')).local!;
    const step = { relation, readThrough: [300, 400], wanted: [300, 340, 380, 400], pace };
    await cluster.primary.query(`REVOKE EXECUTE ON FUNCTION ${name} FROM ${role}`);
    await cluster.waitForReplay();
    expect((await db2.warm({ ...step, tier: 'pool' })).blocks).toBe(60);
    expect((await db2.warm({ ...step, tier: 'pool', readThrough: [] })).blocks).toBe(60);
    expect((await db2.warm({ ...step, tier: 'os' })).blocks).toBe(60);
    await cluster.primary.query(`GRANT EXECUTE ON FUNCTION ${name} TO ${role}`);
    await cluster.waitForReplay();
    expect((await db2.warm({ ...step, tier: 'os', pace: undefined })).blocks).toBe(60);
  });

  it('finds quoted and non-ASCII names, partitions, TOAST, an index alone and other forks', async () => {
    const source = cluster.server('db1');
    const [{ toast }] = (await source.query(
      "SELECT reltoastrelid::regclass::text AS toast FROM pg_class WHERE relname = 'fat'",
    )) as [{ toast: string }];
    await source.query(
      `SELECT pg_prewarm(c.oid, 'buffer', 'main', 0, 0) FROM pg_class c
        WHERE relname IN ($1, 'Índex', 'parts_b', 'fat_pkey') OR c.oid = $2::regclass`,
      [odd, toast],
    );
    await source.query("SELECT pg_prewarm('big', 'buffer', 'fsm')");
    const workSet = await db1.workSet('app1', [
      profiled(odd, { schema: 'S.1' }),
      profiled('Índex', { schema: 'S.1', kind: 'index', parent: `S.1.${odd}` }),
      profiled('parts'),
      profiled('parts_b'),
      profiled(toast.split('.')[1]!, { schema: 'pg_toast', kind: 'toast', parent: 'public.fat' }),
      profiled('fat_pkey', { kind: 'index', parent: 'public.fat' }),
      profiled('big'),
      profiled('no_such_table'),
      profiled('big', { database: 'elsewhere' }),
    ]);
    const main = workSet.relations.filter(({ fork, catalog }) => fork === 'main' && !catalog);
    expect(new Set(main.map(({ name }) => name))).toEqual(
      new Set([odd, 'Índex', 'parts_b', toast.split('.')[1], 'fat_pkey', 'big']),
    );
    for (const relation of main) expect(blockCount(relation.ranges), relation.name).toBeGreaterThan(0);
    expect(workSet.relations.find(({ name, fork }) => name === 'big' && fork === 'fsm')).toBeDefined();
    for (const { verdict, local, wanted } of await db2.match(workSet)) {
      expect(verdict, wanted.name).toBe('blocks');
      const { ranges } = wanted;
      const result = await db2.warm({
        relation: local!,
        tier: 'pool',
        readThrough: [],
        wanted: [...ranges.starts].flatMap((start, i) => [start, start + ranges.lengths[i]!]),
      });
      expect(result.blocks, wanted.name).toBe(blockCount(ranges));
      expect(blockCount(await residentAt(db2, local!)), wanted.name).toBeGreaterThanOrEqual(
        blockCount(ranges),
      );
    }
  });

  it('tells a rewritten, a dropped and an unlogged relation from one whose blocks hold', async () => {
    await cluster.server('db1').query("SELECT pg_prewarm('rewritten'), pg_prewarm('doomed')");
    const workSet = await db1.workSet('app1', [
      profiled('rewritten'),
      profiled('doomed'),
      profiled('fleeting'),
    ]);
    const stale = (await matchOne(db2, workSet, 'rewritten')).local!;
    const doomed = (await matchOne(db2, workSet, 'doomed')).local!;
    expect(await matchOne(db2, workSet, 'fleeting')).toMatchObject({ verdict: 'absent' });
    await cluster.primary.query('VACUUM FULL rewritten');
    await cluster.primary.query('DROP TABLE doomed');
    await cluster.waitForReplay();
    const rewritten = await matchOne(db2, workSet, 'rewritten');
    expect(rewritten.verdict).toBe('relation');
    expect(rewritten.reason).toContain('rewritten');
    expect(await matchOne(db2, workSet, 'doomed')).toMatchObject({ verdict: 'absent' });
    for (const relation of [stale, doomed]) {
      const result = await db2.warm({ relation, tier: 'pool', readThrough: [], wanted: [0, 10] });
      expect(result.blocks, relation.name).toBe(0);
    }
    const elsewhere = { ...workSet, systemId: '1' };
    expect(await matchOne(db2, elsewhere, 'rewritten')).toMatchObject({
      verdict: 'relation',
      reason: expect.stringContaining('another cluster'),
    });
  });
});

describe("the server's catalogs", () => {
  const read = 'SELECT count(*), max(pad) FROM big WHERE id BETWEEN $1 AND $2';
  const held = `SELECT c.relname || ' ' || b.relforknumber || ' ' || b.relblocknumber AS block
    FROM pg_buffercache b JOIN pg_class c ON pg_relation_filenode(c.oid) = b.relfilenode
     AND b.reldatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
   WHERE c.relnamespace IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace) AND c.oid < 16384`;

  /** Blocks of catalogs that a new session of an application brings into the pool. */
  async function readByNewSession(): Promise<string[]> {
    const server = cluster.server('db2');
    const blocks = async () => new Set((await server.query<{ block: string }>(held)).map((row) => row.block));
    // What it needs itself is there after the first time.
    await blocks();
    const before = await blocks();
    await server.query(read, [1, 20]);
    return [...(await blocks())].filter((block) => !before.has(block));
  }

  it('are warmed where the source uses them all the time, so that a new session reads none of them from the disk', async () => {
    await cluster.server('db2').restart();
    expect((await readByNewSession()).length).toBeGreaterThan(0);
    for (let i = 0; i < 8; i++) await cluster.server('db1').query(read, [1, 20]);
    const workSet = await db1.workSet('app1', [profiled('big')]);
    const catalogs = workSet.relations.filter(({ catalog }) => catalog);
    expect(catalogs.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['pg_class', 'pg_attribute', 'pg_proc', 'pg_proc_oid_index', 'pg_authid']),
    );
    expect(new Set(catalogs.flatMap(({ fork, ranges }) => [fork, ...ranges.heats]))).toEqual(
      new Set(['main', 5]),
    );
    expect(new Set(catalogs.map(({ share }) => share))).toEqual(new Set([0]));
    const { poolBlocks } = await db1.identify();
    const blocks = catalogs.reduce((sum, { ranges }) => sum + blockCount(ranges), 0);
    expect(blocks).toBeLessThanOrEqual(poolBlocks / 64);

    await cluster.server('db2').restart();
    await expect.poll(() => codeOf(db2.identify())).toBe('none');
    const matches = (await db2.match(workSet)).filter(({ wanted }) => wanted.catalog);
    expect(matches.length).toBe(catalogs.length);
    for (const { wanted, verdict, local } of matches) {
      expect(verdict, wanted.name).toBe('blocks');
      const { starts, lengths } = wanted.ranges;
      const spans = [...starts].flatMap((start, i) => [start, start + lengths[i]!]);
      await db2.warm({ relation: local!, tier: 'pool', readThrough: [], wanted: spans });
    }
    expect(await readByNewSession()).toEqual([]);
  });

  it('that a VM reads itself are no part of it twice', async () => {
    await cluster.server('db1').query("SELECT pg_prewarm('pg_class')");
    const workSet = await db1.workSet('app1', [profiled('pg_class', { schema: 'pg_catalog' })]);
    const named = workSet.relations.filter(({ name, fork }) => name === 'pg_class' && fork === 'main');
    expect(named.map(({ share, catalog }) => [share, catalog])).toEqual([[0.1, undefined]]);
  });

  it('are left out where they are of another cluster', async () => {
    const workSet = await db1.workSet('app1', [profiled('big')]);
    const matches = await db2.match({ ...workSet, systemId: '1' });
    expect(new Set(matches.map(({ wanted }) => wanted.name))).toEqual(new Set(['big']));
  });
});

describe('interruptions', () => {
  it('ends a statement at the server when the signal aborts', async () => {
    const workSet = await db1.workSet('app1', [profiled('big')]);
    const relation = (await matchOne(db2, workSet, 'big')).local!;
    const abort = new AbortController();
    const wanted = Array.from({ length: 50_000 }, () => [0, relation.sizeBlocks]).flat();
    const running = db2.warm({ relation, tier: 'os', readThrough: [], wanted }, abort.signal);
    const ours = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%forewarm.read_through($1%' AND application_name = 'forewarm:db2'`;
    const count = async () => ((await cluster.server('db2').query(ours)) as [{ n: number }])[0].n;
    await expect.poll(count).toBe(1);
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await expect.poll(count).toBe(0);
    const again = await db2.warm({ relation, tier: 'pool', readThrough: [], wanted: [0, 5] });
    expect(again.blocks).toBe(5);
  });

  it('goes on after the server was restarted', async () => {
    await db2.health();
    const server = cluster.server('db2');
    await server.stop('immediate');
    expect(await codeOf(db2.health())).toBe('database_unreachable');
    await server.start();
    await expect.poll(() => codeOf(db2.health())).toBe('none');
    expect((await db2.identify()).replica).toBe(true);
    const { freeBlocks, poolBlocks } = await db2.poolState([]);
    expect(freeBlocks).toBeGreaterThan(poolBlocks / 2);
  });
});
