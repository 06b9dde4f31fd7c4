import { readFileSync } from 'node:fs';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, RelationMatch } from '../../src/engines/engine.ts';
import { createMysqlEngine } from '../../src/engines/mysql/engine.ts';
import { type MysqlCluster, startMysqlCluster } from '../../src/lab/mysql-cluster.ts';
import type { MysqlKind } from '../../src/lab/mysql-kinds.ts';
import { runScript } from '../../src/lab/mysql-script.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { ProfileRelation } from '../../src/messages/profile.ts';
import { blockCount } from '../../src/planning/block-ranges.ts';
import { mysqlKinds } from './mysql-kinds.ts';
import { residencyOf, warmWhole } from './whole-warming.ts';

const setup = readFileSync(new URL('../../sql/mysql/setup.sql', import.meta.url), 'utf8');

interface Odd {
  readonly columns: string;
  readonly keys?: string;
  /** What of number `n` goes into all columns but `pad`. */
  readonly values: string;
  readonly options?: string;
  readonly index?: string;
  readonly only?: MysqlKind;
}

const sha = 'SHA2(n, 256)';

/** Keys whose order, or whose text, is not that of plain numbers and words. */
const odd: Readonly<Record<string, Odd>> = {
  decimals: { columns: 'k decimal(20, 5) PRIMARY KEY', values: '(n - 5000) * 1.37' },
  unsigned: { columns: 'k bigint unsigned PRIMARY KEY', values: '18446744073709551615 - n * 977' },
  doubles: { columns: 'k double PRIMARY KEY', values: '(n - 5000) / 7e-3' },
  days: {
    columns: 'k date, m int',
    keys: 'PRIMARY KEY (k, m)',
    values: "DATE '1969-12-01' + INTERVAL n DIV 10 DAY, n",
  },
  moments: {
    columns: 'k datetime(6) PRIMARY KEY',
    values: "TIMESTAMP '2024-02-29 23:59:59.999999' + INTERVAL n * 1117 MICROSECOND",
  },
  stamps: { columns: 'k timestamp(3) PRIMARY KEY', values: 'FROM_UNIXTIME(1600000000 + n / 8)' },
  times: { columns: 'k time(3) PRIMARY KEY', values: 'SEC_TO_TIME((n - 5000) * 11.25)' },
  choices: { columns: "k enum('z', 'a', 'm'), m int", keys: 'PRIMARY KEY (k, m)', values: '1 + n % 3, n' },
  states: {
    columns: "id int PRIMARY KEY, k enum('it''s open', 'held', 'closed'), m char(64)",
    keys: 'KEY k_idx (k, m)',
    values: `n, IF(n % 9, 1 + n % 3, NULL), ${sha}`,
    index: 'k_idx',
  },
  floats: { columns: 'k float, m int', keys: 'PRIMARY KEY (k, m)', values: '0.1 + (n % 3) / 10, n' },
  flags: { columns: "k set('a', 'b', 'c'), m int", keys: 'PRIMARY KEY (k, m)', values: 'n % 8, n' },
  bits: { columns: 'k bit(20) PRIMARY KEY', values: 'n * 97' },
  prefixes: { columns: 'k varchar(200)', keys: 'PRIMARY KEY (k(12))', values: sha },
  folded: {
    columns: 'k varchar(80) PRIMARY KEY',
    values: `CONCAT(IF(n % 2, 'Äther ', 'aTHer '), UPPER(${sha}))`,
    options: 'DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_general_ci',
  },
  bytes: { columns: 'k varbinary(40) PRIMARY KEY', values: `UNHEX(${sha})` },
  blobs: { columns: 'k blob', keys: 'PRIMARY KEY (k(16))', values: `UNHEX(${sha})` },
  nulls: {
    columns: 'id int PRIMARY KEY, k varchar(70)',
    keys: 'KEY k_idx (k)',
    values: `n, IF(n % 3, NULL, ${sha})`,
    index: 'k_idx',
  },
  falling: {
    columns: 'id int PRIMARY KEY, k int, m int',
    keys: 'KEY k_idx (k DESC, m)',
    values: 'n, n % 11, -n',
    index: 'k_idx',
  },
  points: {
    columns: 'id int PRIMARY KEY, k point NOT NULL',
    keys: 'SPATIAL KEY k_idx (k)',
    values: 'n, POINT(n, n % 97)',
  },
  words: {
    columns: 'id int PRIMARY KEY, k varchar(80)',
    keys: 'FULLTEXT KEY k_idx (k)',
    values: `n, ${sha}`,
  },
  compressed: {
    columns: 'k int PRIMARY KEY',
    values: 'n',
    options: 'ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8',
  },
  redundant: { columns: 'k int PRIMARY KEY', values: 'n', options: 'ROW_FORMAT=REDUNDANT' },
  'order by "x"': { columns: '`select` int PRIMARY KEY', values: 'n' },
  versioned: {
    columns: 'k int PRIMARY KEY',
    values: 'n',
    options: 'WITH SYSTEM VERSIONING',
    only: 'mariadb',
  },
  uuids: { columns: 'k uuid PRIMARY KEY', values: 'UUID()', only: 'mariadb' },
  functional: {
    ...{ columns: 'id int PRIMARY KEY, k int', keys: 'KEY k_idx ((k % 1009))', values: 'n, n * 31' },
    ...{ index: 'k_idx', only: 'mysql' },
  },
};

const namesOn = (kind: MysqlKind) => Object.keys(odd).filter((name) => (odd[name]!.only ?? kind) === kind);

async function load(connection: Connection, kind: MysqlKind): Promise<void> {
  await connection.query('CREATE TABLE numbers (n int PRIMARY KEY)');
  await connection.query(
    `INSERT INTO numbers WITH RECURSIVE d AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM d WHERE n < 99)
     SELECT a.n * 100 + b.n FROM d a, d b`,
  );
  for (const name of namesOn(kind)) {
    const { columns, keys, values, options = '' } = odd[name]!;
    const all = [columns, 'pad varchar(400)', keys].filter((part) => part !== undefined).join(', ');
    await connection.query(`CREATE TABLE \`${name}\` (${all}) ${options}`);
    await connection.query(`INSERT INTO \`${name}\` SELECT ${values}, REPEAT('x', 300) FROM numbers`);
    await connection.query(`ANALYZE TABLE \`${name}\``);
  }
  await connection.query("SET @forewarm_password = 'secret', @forewarm_database = 'app'");
  await runScript(connection, setup);
}

const profiled = (name: string): ProfileRelation[] => {
  const base = { database: 'app', schema: 'app', weight: 1, share: 0.01 };
  const { index } = odd[name]!;
  const table: ProfileRelation = { ...base, name, kind: 'table' };
  if (index === undefined) return [table];
  return [table, { ...base, name: `${name}.${index}`, kind: 'index', parent: `app.${name}` }];
};

describe.each(mysqlKinds)('a table of %s whose key is odd', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let cluster: MysqlCluster;
  let source: Engine;
  let target: Engine;
  let matches: readonly RelationMatch[];

  const engineOn = (name: string) =>
    createMysqlEngine(kind, {
      replica: name,
      url: cluster.server(name).url({ user: 'forewarm', password: 'secret' }),
      ...{ databases: [], vms: [], statementTimeoutMs: 10_000, logger: silentLogger },
    });

  const pagesRead = async () => {
    const statement = "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_reads'";
    const [row] = await cluster.server('db2').query<{ Value: string }>(statement);
    return Number(row?.Value);
  };

  const readAll = async (name: string, table: string) => {
    const server = cluster.server(name);
    await server.query(`SELECT SUM(LENGTH(pad)) FROM \`${table}\` USE INDEX ()`);
    const { index } = odd[table]!;
    if (index !== undefined)
      await server.query(`SELECT COUNT(*) FROM \`${table}\` FORCE INDEX (\`${index}\`)`);
  };

  const emptyTarget = async () => {
    await cluster.server('db2').restart();
    await cluster.waitForReplicas();
  };

  beforeAll(async () => {
    cluster = await startMysqlCluster({
      ...{ owned, kind, replicas: ['db1', 'db2'], settings: { innodb_buffer_pool_size: '192M' } },
      load: (connection) => load(connection, kind),
    });
    for (const server of cluster.replicas) await server.restart();
    await cluster.waitForReplicas();
    [source, target] = [engineOn('db1'), engineOn('db2')];
    for (const name of namesOn(kind)) await readAll('db1', name);
    matches = await target.match(await source.workSet('app1', namesOn(kind).flatMap(profiled)));
  }, 240_000);

  afterAll(async () => {
    await source?.close();
    await target?.close();
    await owned.dispose();
  });

  it.each(namesOn(kind))('is warmed whole, so that reading it goes to no disk: %s', async (name) => {
    const own = matches.filter(({ wanted }) => wanted.name === name || wanted.name.startsWith(`${name}.`));
    expect(own.map(({ wanted, verdict }) => [wanted.name, verdict])).toEqual(
      profiled(name).map((relation) => [relation.name, 'blocks']),
    );
    for (const { wanted, local } of own) {
      expect(blockCount(wanted.ranges)).toBe(wanted.sizeBlocks);
      await warmWhole(target, local!);
      expect([wanted.name, await residencyOf(target, local!)]).toEqual([
        wanted.name,
        expect.toSatisfy((part: number) => part > 0.95, 'nearly all'),
      ]);
    }
    const before = await pagesRead();
    await readAll('db2', name);
    expect((await pagesRead()) - before).toBeLessThan(8);
  });

  it.each([
    ['choices', "k = 'a'"],
    // What a FLOAT makes of 0.2.
    ['floats', 'k = 0.20000000298023224'],
  ])('is read by stretches where its key begins with few values: %s', async (name, middle) => {
    await emptyTarget();
    const { local, wanted } = matches.find((one) => one.wanted.name === name)!;
    const [from, to] = [0.4, 0.6].map((part) => Math.round(wanted.sizeBlocks * part)) as [number, number];
    const step = { tier: 'pool', readThrough: [], wanted: [from, to] } as const;
    expect((await target.warm({ relation: local!, ...step })).blocks).toBe(to - from);
    const before = await pagesRead();
    const within = `${middle} AND m BETWEEN 3700 AND 6300`;
    await cluster.server('db2').query(`SELECT SUM(LENGTH(pad)) FROM ${name} WHERE ${within}`);
    const missing = (await pagesRead()) - before;
    await readAll('db2', name);
    const left = (await pagesRead()) - before - missing;
    expect(missing, 'of its own').toBeLessThan(4);
    expect(left, 'of the others').toBeGreaterThan(0.15 * wanted.sizeBlocks);
  });
});
