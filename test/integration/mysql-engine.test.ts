import { readFileSync } from 'node:fs';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, LocalRelation, RelationMatch } from '../../src/engines/engine.ts';
import { createMysqlEngine } from '../../src/engines/mysql/engine.ts';
import { type MysqlCluster, startMysqlCluster } from '../../src/lab/mysql-cluster.ts';
import { runScript } from '../../src/lab/mysql-script.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { ProfileRelation } from '../../src/messages/profile.ts';
import { blockCount } from '../../src/planning/block-ranges.ts';
import type { WorkSet } from '../../src/planning/work-set.ts';
import { mysqlKinds } from './mysql-kinds.ts';
import { residencyOf, warmWhole } from './whole-warming.ts';

const setup = readFileSync(new URL('../../sql/mysql/setup.sql', import.meta.url), 'utf8');
const odd = 'Größe `x`; drop';
const quoted = `\`${odd.replaceAll('`', '``')}\``;

/** 20,000 numbers, and tables of every shape that a key can have. */
const schema = `
CREATE TABLE numbers (n int PRIMARY KEY);
INSERT INTO numbers SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d FROM digits a, digits b, digits c, digits e;
INSERT INTO numbers SELECT n + 10000 FROM numbers;
CREATE TABLE plain (id int PRIMARY KEY, grp int, pad varchar(400), KEY grp_idx (grp), KEY pad_idx (pad(20)));
INSERT INTO plain SELECT n, n % 3, repeat('x', 300) FROM numbers;
CREATE TABLE composite (tenant varchar(20), id int, pad varchar(400), PRIMARY KEY (tenant, id));
INSERT INTO composite SELECT IF(n < 15000, 'one', CONCAT('tenant ', n % 50)), n, repeat('x', 300) FROM numbers;
CREATE TABLE uuids (id char(36) PRIMARY KEY, pad varchar(400));
INSERT INTO uuids SELECT CONCAT(SUBSTR(SHA2(n, 256), 1, 8), '-', SUBSTR(SHA2(n, 256), 9, 27)), repeat('x', 200) FROM numbers;
CREATE TABLE bytes (id binary(16) PRIMARY KEY, pad varchar(400));
INSERT INTO bytes SELECT UNHEX(SUBSTR(SHA2(n, 256), 1, 32)), repeat('x', 200) FROM numbers;
CREATE TABLE falling (id int, pad varchar(400), PRIMARY KEY (id DESC));
INSERT INTO falling SELECT n, repeat('x', 300) FROM numbers;
CREATE TABLE keyless (a int, pad varchar(400), KEY a_idx (a));
INSERT INTO keyless SELECT IF(n % 10 = 0, NULL, n), repeat('x', 300) FROM numbers;
CREATE TABLE uniquely (u int NOT NULL, pad varchar(400), UNIQUE KEY uk (u));
INSERT INTO uniquely SELECT n, repeat('x', 300) FROM numbers;
CREATE TABLE choices (n int, u int NOT NULL, v int NOT NULL, pad varchar(400), UNIQUE KEY n_key (n), UNIQUE KEY v_key (v), UNIQUE KEY a_key (u));
INSERT INTO choices SELECT n, n * 3, 100000 - n, repeat('x', 300) FROM numbers;
CREATE TABLE parts (id int PRIMARY KEY, grp int, pad varchar(400), KEY grp_idx (grp))
  PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (5000), PARTITION high VALUES LESS THAN MAXVALUE);
INSERT INTO parts SELECT n, n % 100, repeat('x', 300) FROM numbers;
CREATE TABLE made (id int PRIMARY KEY, v int AS (id % 97) VIRTUAL, at datetime, pad varchar(400), KEY v_idx (v), KEY at_idx (at));
INSERT INTO made (id, at, pad) SELECT n, FROM_UNIXTIME(1600000000 + n * 60), repeat('x', 300) FROM numbers;
CREATE TABLE ${quoted} (\`Schlüssel ä\` bigint PRIMARY KEY, pad varchar(400), KEY \`Índex\` (pad));
INSERT INTO ${quoted} SELECT n * 1000000007, CONCAT(n, repeat('x', 200)) FROM numbers;
CREATE TABLE docs (id int PRIMARY KEY, body longtext, extra json, title varchar(100));
INSERT INTO docs SELECT n, REPEAT('y', 40000), JSON_ARRAY(REPEAT('z', 18000)), REPEAT('t', 90) FROM numbers WHERE n < 400;
ANALYZE TABLE docs, numbers, plain, composite, uuids, bytes, falling, keyless, uniquely, choices, parts, made, ${quoted}`;

async function load(connection: Connection): Promise<void> {
  await connection.query('CREATE TABLE digits (d int PRIMARY KEY)');
  await connection.query('INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)');
  for (const statement of schema.split(';\n')) await connection.query(statement);
  await connection.query("SET @forewarm_password = 'secret', @forewarm_database = 'app'");
  await runScript(connection, setup);
}

const trees: readonly (readonly [table: string, index?: string])[] = [
  ['plain'],
  ['plain', 'grp_idx'],
  ['plain', 'pad_idx'],
  ['composite'],
  ['uuids'],
  ['bytes'],
  ['falling'],
  ['keyless'],
  ['keyless', 'a_idx'],
  ['uniquely'],
  // The first key without NULLs is the clustered one.
  ['choices'],
  ['choices', 'a_key'],
  ['parts'],
  ['parts', 'grp_idx'],
  ['made'],
  ['made', 'v_idx'],
  ['made', 'at_idx'],
  [odd],
  [odd, 'Índex'],
];

const profiled = ([table, index]: (typeof trees)[number]): ProfileRelation => ({
  ...{ database: 'app', schema: 'app', weight: 1, share: 1 / trees.length },
  ...(index === undefined
    ? { name: table, kind: 'table' }
    : { name: `${table}.${index}`, kind: 'index', parent: `app.${table}` }),
});

describe.each(mysqlKinds)('the engine on %s', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let cluster: MysqlCluster;
  let source: Engine;
  let target: Engine;
  let workSet: WorkSet;

  const engineOn = (name: string, user = 'forewarm') =>
    createMysqlEngine(kind, {
      replica: name,
      url: cluster.server(name).url({ user, password: user === 'forewarm' ? 'secret' : '' }),
      databases: [],
      vms: [],
      statementTimeoutMs: 10_000,
      logger: silentLogger,
    });

  /** Entries of a tree, read through it alone. */
  const readAll = (name: string, [table, index]: (typeof trees)[number]) => {
    const way = index === undefined ? 'USE INDEX ()' : `FORCE INDEX (\`${index}\`)`;
    const what = index === undefined ? 'SUM(LENGTH(pad))' : 'COUNT(*)';
    return cluster.server(name).query(`SELECT ${what} FROM \`${table.replaceAll('`', '``')}\` ${way}`);
  };

  const statusOf = async (name: string, variable: string) => {
    const rows = await cluster.server(name).query<{ Value: string }>(`SHOW GLOBAL STATUS LIKE '${variable}'`);
    return Number(rows[0]?.Value);
  };

  /** Of pages that somebody waited for. */
  const pagesRead = (name: string) => statusOf(name, 'Innodb_buffer_pool_reads');

  const matchesOf = async (engine: Engine, names: readonly string[]): Promise<RelationMatch[]> =>
    (await engine.match(workSet)).filter(({ wanted }) => names.includes(wanted.name));

  const localOf = (match: RelationMatch): LocalRelation => {
    if (match.local === undefined) throw new Error(`${match.wanted.name}: ${match.reason}`);
    return match.local;
  };

  beforeAll(async () => {
    cluster = await startMysqlCluster({
      owned,
      kind,
      replicas: ['db1', 'db2'],
      settings: { innodb_buffer_pool_size: '128M' },
      load,
    });
    for (const server of cluster.replicas) await server.restart();
    await cluster.waitForReplicas();
    source = engineOn('db1');
    target = engineOn('db2');
    for (const tree of trees) await readAll('db1', tree);
    workSet = await source.workSet('app1', trees.map(profiled));
  }, 240_000);

  afterAll(async () => {
    await source?.close();
    await target?.close();
    await owned.dispose();
  });

  it('knows the server and what it can do there', async () => {
    const identity = await target.identify();
    expect(identity).toMatchObject({ kind, replica: true, canWarm: true, databases: ['app'], degraded: [] });
    expect(identity.poolBlocks).toBe(8_192);
    expect(identity.blockBytes).toBe(16_384);
    expect(await target.check()).toSatisfy((findings: { level: string }[]) =>
      findings.every(({ level }) => level === 'ok'),
    );
  });

  it('says what a user without grants lacks', async () => {
    await cluster.primary.query('CREATE USER IF NOT EXISTS nobody');
    await cluster.waitForReplicas();
    const bare = engineOn('db2', 'nobody');
    try {
      const findings = (await bare.check()).filter(({ level }) => level === 'fault');
      expect(findings.length).toBeGreaterThan(0);
      for (const { remedy } of findings) expect(remedy).toBeTruthy();
    } finally {
      await bare.close();
    }
  });

  it('says when the server keeps so much of its pool free that nothing can be warmed into it', async () => {
    const db2 = cluster.server('db2');
    const [before] = await db2.query<{ depth: number }>('SELECT @@GLOBAL.innodb_lru_scan_depth AS depth');
    const finding = async () =>
      (await target.check()).find(({ subject }) => subject === 'innodb_lru_scan_depth');
    try {
      await db2.query('SET GLOBAL innodb_lru_scan_depth = 8000');
      expect(await finding()).toMatchObject({ level: 'warning', remedy: expect.stringMatching(/= 5\d\d;/) });
      await db2.query('SET GLOBAL innodb_lru_scan_depth = 512');
      expect(await finding()).toMatchObject({ level: 'ok' });
    } finally {
      await db2.query(`SET GLOBAL innodb_lru_scan_depth = ${before?.depth}`);
    }
  });

  it('takes the work set of what the source holds, partition by partition', () => {
    const names = workSet.relations.map((relation) => relation.name);
    expect(names).toContain('parts#p#low');
    expect(names).toContain('parts#p#high.grp_idx');
    expect(workSet.relations.length).toBe(trees.length + 2);
    for (const { name, partOf, ranges, sizeBlocks } of workSet.relations) {
      expect([name, blockCount(ranges)]).toEqual([name, sizeBlocks]);
      expect([name, partOf]).toEqual([name, name.includes('#p#') ? name.replace(/#p#[^.]*/, '') : undefined]);
    }
  });

  it('takes the same where all names are plain, for which it need not ask for the names of tables', async () => {
    const { relations } = await source.workSet(
      'app1',
      trees.filter(([table]) => table !== odd).map(profiled),
    );
    const counted = (of: WorkSet['relations']) => of.map(({ name, ranges }) => [name, blockCount(ranges)]);
    const before = workSet.relations.filter(({ name }) => !name.startsWith(odd));
    expect(before.length).toBe(trees.length);
    expect(counted(relations)).toEqual(counted(before));
  });

  it('warms values that lie outside of their rows, by themselves where the source holds them', async () => {
    const docs = profiled(['docs']);
    const cold = engineOn('db1');
    const ofSource = async () => {
      const { relations } = await cold.workSet('app1', [docs]);
      return new Map(
        relations.map(({ name, ranges, sizeBlocks }) => [name, [blockCount(ranges), sizeBlocks]]),
      );
    };
    await cluster.server('db1').restart();
    await cluster.server('db1').query('SELECT SUM(LENGTH(title)) FROM docs');
    const rowsAlone = await ofSource();
    expect(rowsAlone.get('docs')![0]).toBe(rowsAlone.get('docs')![1]);
    expect(rowsAlone.get('docs')![0]).toBeLessThan(100);
    expect(rowsAlone.get('docs#overflow')![0]).toBeLessThan(20);

    const touch = 'SELECT SUM(LENGTH(body)), SUM(LENGTH(extra)) FROM docs';
    await cluster.server('db1').query(touch);
    // Three pages a body and two an extra.
    expect((await ofSource()).get('docs#overflow')![0]).toBeGreaterThan(0.9 * 400 * 5);
    const wanted = await cold.workSet('app1', [docs]);
    await cold.close();
    const matches = await target.match(wanted);
    expect(matches.map(({ verdict }) => verdict)).toEqual(['blocks', 'blocks']);
    for (const match of matches) await warmWhole(target, localOf(match));
    // How many pages the rows take is told from how many most of their pages hold: a page or two off.
    for (const match of matches) {
      const { sizeBlocks } = localOf(match);
      const missing = sizeBlocks * (1 - (await residencyOf(target, localOf(match))));
      expect(missing).toBeLessThan(Math.max(3, sizeBlocks * 0.1));
    }
    const before = await pagesRead('db2');
    await cluster.server('db2').query(touch);
    expect((await pagesRead('db2')) - before).toBeLessThan(8);
  });

  // A second try would find what the first one brought.
  it('reads the stretches of a step, and not what lies between them', { retry: 0 }, async () => {
    const [match] = await matchesOf(target, ['plain']);
    const relation = localOf(match!);
    // What the server reads ahead counts as well.
    const before = await statusOf('db2', 'Innodb_pages_read');
    const wanted = [0, 10, relation.sizeBlocks - 10, relation.sizeBlocks];
    expect(await target.warm({ relation, tier: 'pool', readThrough: [], wanted })).toMatchObject({
      blocks: 20,
    });
    expect((await statusOf('db2', 'Innodb_pages_read')) - before).toBeLessThan(relation.sizeBlocks / 2);
  });

  it.each(trees.map((tree) => [tree.join('.'), tree] as const))(
    'warms %s so that reading it goes to no disk',
    async (_, tree) => {
      const [table, index] = tree;
      const names = ['', '#p#low', '#p#high'].map(
        (part) => `${table}${part}${index === undefined ? '' : `.${index}`}`,
      );
      const matches = await matchesOf(target, names);
      expect(matches.length).toBe(table === 'parts' ? 2 : 1);
      for (const match of matches) await warmWhole(target, localOf(match));
      for (const match of matches) {
        expect(await residencyOf(target, localOf(match))).toBeGreaterThan(0.97);
      }
      const before = await pagesRead('db2');
      await readAll('db2', tree);
      // What the statement itself needs of the dictionary, and a page or two that grew since.
      expect((await pagesRead('db2')) - before).toBeLessThan(8);
    },
  );

  it.each(['', ' IO_THREAD', ' SQL_THREAD'])(
    'is caught up, and says so when%s is stopped',
    async (thread) => {
      expect(await target.health()).toMatchObject({ lagMs: 0, replaying: true });
      const stop = `STOP ${kind === 'mysql' ? 'REPLICA' : 'SLAVE'}${thread}`;
      await cluster.server('db2').query(stop);
      try {
        expect(await target.health()).toMatchObject({ lagMs: null, replaying: false });
        const findings = await target.check();
        expect(findings.find(({ subject }) => subject === 'replication')).toMatchObject({ level: 'fault' });
      } finally {
        await cluster.server('db2').query(stop.replace('STOP', 'START'));
      }
      await expect
        .poll(() => target.health(), { timeout: 10_000 })
        .toMatchObject({ lagMs: 0, replaying: true });
    },
  );

  it('is behind while parallel appliers wait for each other, from the first moment on', async () => {
    const db2 = cluster.server('db2');
    const [own, word] = kind === 'mysql' ? ['replica', 'REPLICA'] : ['slave', 'SLAVE'];
    await db2.query(`STOP ${word}`);
    await db2.query(
      kind === 'mysql' ? 'SET GLOBAL replica_parallel_workers = 4' : `SET GLOBAL ${own}_parallel_threads = 4`,
    );
    await db2.query(`START ${word}`);
    const holder = await db2.connect();
    try {
      await expect.poll(async () => (await target.health()).lagMs, { timeout: 10_000 }).toBe(0);
      await holder.query('LOCK TABLES numbers READ, composite READ');
      await cluster.primary.query('INSERT INTO numbers VALUES (1000001)');
      await cluster.primary.query("INSERT INTO composite VALUES ('late', 1, 'x')");
      const lag = async () => (await target.health()).lagMs;
      await expect.poll(lag, { timeout: 10_000 }).toBeGreaterThan(0);
      await expect.poll(lag, { timeout: 10_000 }).toBeGreaterThan(1_500);
      expect(await target.health()).toMatchObject({ replaying: true });
    } finally {
      await holder.end();
    }
    await expect.poll(async () => (await target.health()).lagMs, { timeout: 10_000 }).toBe(0);
  });

  it('counts what an index build has made in the pool', async () => {
    const name = 'plain';
    const held = async (server: string) => {
      const rows = await cluster.server(server).query<{ pages: number }>(
        `SELECT COUNT(*) AS pages FROM information_schema.INNODB_BUFFER_PAGE
         WHERE TABLE_NAME = '\`app\`.\`plain\`' AND INDEX_NAME = 'PRIMARY'`,
      );
      return Number(rows[0]?.pages);
    };
    await cluster.primary.query(`ALTER TABLE ${name} ENGINE=InnoDB`);
    await cluster.primary.query(`ANALYZE TABLE ${name}`);
    await cluster.waitForReplicas();
    for (const server of ['db1', 'db2']) await readAll(server, [name]);
    // A busy machine may have to save up for a walk.
    const soon = { timeout: 30_000, interval: 500 };
    const read = async () => (await source.workSet('app1', [profiled([name])])).relations;
    expect(await held('db1')).toBeGreaterThan(100);
    await expect
      .poll(async () => blockCount((await read())[0]!.ranges), soon)
      .toBeGreaterThan(0.9 * (await held('db1')));
    const matches = await target.match({ ...workSet, relations: await read() });
    const found = async () => [...(await target.poolState(matches.map(localOf))).resident.values()][0]!;
    await expect.poll(async () => blockCount(await found()), soon).toBeGreaterThan(0.9 * (await held('db2')));
  });

  it('gives 0 blocks and no error for a table that went away', async () => {
    const [match] = await matchesOf(target, ['uniquely']);
    const relation = { ...localOf(match!), name: 'uniquely' };
    await cluster.server('db2').query('SET sql_log_bin = 0');
    await cluster.server('db2').query('RENAME TABLE uniquely TO elsewhere');
    try {
      const done = await target.warm({ relation, tier: 'pool', readThrough: [], wanted: [0, 40] });
      expect(done.blocks).toBe(0);
    } finally {
      await cluster.server('db2').query('RENAME TABLE elsewhere TO uniquely');
    }
  });
});
