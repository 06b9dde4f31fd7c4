import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, LocalRelation, RelationMatch } from '../../src/engines/engine.ts';
import { createPostgresEngine } from '../../src/engines/postgres/engine.ts';
import { containersWanted } from '../../src/lab/containers/wanted.ts';
import { dropOsCache } from '../../src/lab/os-cache.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { type PostgresCluster, startPostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { ForewarmError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { ProfileRelation } from '../../src/messages/profile.ts';
import { blockCount, blocksByHeat, emptyRanges } from '../../src/planning/block-ranges.ts';
import { relationKey, type WorkSet, type WorkSetRelation } from '../../src/planning/work-set.ts';

const setup = readFileSync(new URL('../../sql/postgres/setup.sql', import.meta.url), 'utf8');
const major = Number(process.env['TEST_PG_MAJOR'] ?? 18);
/** Vacuum at the primary would bring blocks into the standbys' pools while tests count them. */
const quiet = { autovacuum: 'off' };
const odd = 'Größe "x"; drop';

const owned = new OwnedProcesses({ handleSignals: false });
let cluster: PostgresCluster;
let db1: Engine;
let db2: Engine;

async function load(client: pg.Client): Promise<void> {
  await client.query(setup);
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

function engineOn(name: string, options: { role?: string; databases?: string[] } = {}): Engine {
  const url = cluster.server(name).url({ role: options.role ?? 'forewarm' });
  const databases = options.databases ?? [];
  return createPostgresEngine({
    replica: name,
    url,
    databases,
    vms: [],
    statementTimeoutMs: 10_000,
    logger: silentLogger,
  });
}

function profiled(name: string, more: Partial<ProfileRelation> = {}): ProfileRelation {
  return { database: 'app', schema: 'public', name, kind: 'table', weight: 1, share: 0.1, ...more };
}

async function matchOne(engine: Engine, workSet: WorkSet, name: string): Promise<RelationMatch> {
  const match = (await engine.match(workSet)).find(
    ({ wanted }) => wanted.name === name && wanted.fork === 'main',
  );
  if (match === undefined) throw new Error(`${name} is not in the work set`);
  return match;
}

async function residentAt(engine: Engine, relation: LocalRelation) {
  const { resident } = await engine.poolState([relation]);
  return resident.get(relationKey(relation))!;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof ForewarmError ? error.code : String(error)),
  );
}

/** Pools without our tables: a standby that starts would replay into its pool what no restart point covers. */
async function restartCold(): Promise<void> {
  await cluster.primary.query('CHECKPOINT');
  await cluster.waitForReplay();
  for (const server of cluster.replicas) {
    await server.query('CHECKPOINT');
    await server.restart();
  }
}

beforeAll(async () => {
  cluster = await startPostgresCluster({ owned, replicas: ['db1', 'db2'], major, settings: quiet, load });
  await restartCold();
  db1 = engineOn('db1');
  db2 = engineOn('db2');
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

  it('reads on without that function when it is taken away', async () => {
    const workSet = await db1.workSet('app1', [profiled('big')]);
    const relation = (await matchOne(db2, workSet, 'big')).local!;
    const grant = (verb: string) =>
      cluster.primary.query(
        `${verb} EXECUTE ON FUNCTION forewarm.read_through(oid, text, int8[], int8[]) ${verb === 'GRANT' ? 'TO' : 'FROM'} forewarm`,
      );
    await grant('REVOKE');
    await cluster.waitForReplay();
    const step = { relation, readThrough: [300, 400], wanted: [300, 340, 380, 400] };
    expect((await db2.warm({ ...step, tier: 'pool' })).blocks).toBe(60);
    expect((await db2.warm({ ...step, tier: 'os' })).blocks).toBe(60);
    await grant('GRANT');
    await cluster.waitForReplay();
    expect((await db2.warm({ ...step, tier: 'os' })).blocks).toBe(60);
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
    const main = workSet.relations.filter(({ fork }) => fork === 'main');
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

describe('without what it needs', () => {
  beforeAll(async () => {
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
    await restartCold();
  });

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
    const down = createPostgresEngine({
      replica: 'db9',
      url: 'postgres://forewarm:hush@127.0.0.1:9/app',
      databases: [],
      vms: [],
      statementTimeoutMs: 2_000,
      logger: silentLogger,
    });
    expect(await codeOf(unknownRole.identify())).toBe('database_denied');
    expect(await codeOf(down.identify())).toBe('database_unreachable');
    expect(JSON.stringify(await down.check())).not.toContain('hush');
    await unknownRole.close();
    await down.close();
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

describe('a logical replica', () => {
  it('is another cluster: relations match by name, TOAST by its table', async ({ skip }) => {
    if (containersWanted()) skip('logical replicas are not made in containers');
    const schema = `CREATE TABLE fat (id int PRIMARY KEY, body text);
      ALTER TABLE fat ALTER body SET STORAGE EXTERNAL`;
    const rows = 'INSERT INTO fat SELECT g, repeat(md5(g::text), 300) FROM generate_series(1, 100) g';
    const other = await startPostgresCluster({
      owned,
      replicas: [],
      major,
      settings: { wal_level: 'logical' },
      load: async (client) => {
        await client.query(setup);
        await client.query(`CREATE SEQUENCE shifts_oids; ${schema}; ${rows}`);
      },
    });
    const logical = await other.startLogicalReplica('db3', { schema });
    await logical.query(setup);
    const engines = [other.primary, logical].map((server) =>
      createPostgresEngine({
        replica: server.name,
        url: server.url({ role: 'forewarm' }),
        databases: [],
        vms: [],
        statementTimeoutMs: 10_000,
        logger: silentLogger,
      }),
    );
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
        await client.query(setup);
        await client.query(
          `CREATE TABLE readings AS SELECT g AS id, repeat('x', 400) AS pad FROM generate_series(1, 73000) g`,
        );
      },
    }).catch((error: unknown) => {
      if (error instanceof ForewarmError && error.code === 'lab_unavailable') return undefined;
      throw error;
    });
    if (two === undefined) return context.skip('PostgreSQL with pgfincore cannot be had on this machine');
    const engines = two.replicas.map((server) =>
      createPostgresEngine({
        replica: server.name,
        url: server.url({ role: 'forewarm' }),
        databases: [],
        vms: [],
        statementTimeoutMs: 10_000,
        logger: silentLogger,
      }),
    );
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
