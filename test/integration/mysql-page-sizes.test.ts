import { readFileSync } from 'node:fs';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/engine.ts';
import { createMysqlEngine } from '../../src/engines/mysql/engine.ts';
import { type MysqlCluster, startMysqlCluster } from '../../src/lab/mysql-cluster.ts';
import { runScript } from '../../src/lab/mysql-script.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { ProfileRelation } from '../../src/messages/profile.ts';
import { blockCount } from '../../src/planning/block-ranges.ts';
import { mysqlKinds } from './mysql-kinds.ts';
import { residencyOf, warmWhole } from './whole-warming.ts';

const setup = readFileSync(new URL('../../sql/mysql/setup.sql', import.meta.url), 'utf8');
/** More than MariaDB keeps free of a pool (`innodb_lru_scan_depth`), however small that is. */
const poolBlocks = 12_288;
const rows = 20_000;

async function load(connection: Connection): Promise<void> {
  await connection.query(
    'CREATE TABLE items (id int PRIMARY KEY, code char(40) NOT NULL, pad varchar(900), KEY code_idx (code))',
  );
  await connection.query(
    `INSERT INTO items WITH RECURSIVE d AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM d WHERE n < 199)
     SELECT a.n * 200 + b.n, LEFT(SHA2(a.n * 200 + b.n, 256), 40), REPEAT('x', 900) FROM d a, d b WHERE a.n < ${rows / 200}`,
  );
  await connection.query('ANALYZE TABLE items');
  await connection.query("SET @forewarm_password = 'secret', @forewarm_database = 'app'");
  await runScript(connection, setup);
}

const wanted: readonly ProfileRelation[] = [
  { ...{ database: 'app', schema: 'app', weight: 1, share: 0.5 }, name: 'items', kind: 'table' },
  {
    ...{ database: 'app', schema: 'app', weight: 1, share: 0.5 },
    ...{ name: 'items.code_idx', kind: 'index', parent: 'app.items' },
  },
];

/** The smallest and the largest that there are; one of them on each product. */
const cases = [
  { kind: 'mariadb', pageBytes: 65_536 },
  { kind: 'mysql', pageBytes: 4_096 },
].filter(({ kind }) => mysqlKinds.some((one) => one === kind)) as readonly {
  readonly kind: (typeof mysqlKinds)[number];
  readonly pageBytes: number;
}[];

describe.each(cases)('a server with pages of $pageBytes bytes on $kind', ({ kind, pageBytes }) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  const open: Engine[] = [];
  let cluster: MysqlCluster;

  const engineOn = (name: string) => {
    const engine = createMysqlEngine(kind, {
      replica: name,
      url: cluster.server(name).url({ user: 'forewarm', password: 'secret' }),
      ...{ databases: [], vms: [], statementTimeoutMs: 10_000, logger: silentLogger },
    });
    open.push(engine);
    return engine;
  };

  beforeAll(async () => {
    cluster = await startMysqlCluster({
      ...{ owned, kind, load, replicas: ['db1', 'db2'] },
      settings: { innodb_page_size: pageBytes, innodb_buffer_pool_size: poolBlocks * pageBytes },
    });
    for (const server of cluster.replicas) await server.restart();
    await cluster.waitForReplicas();
  }, 240_000);

  afterAll(async () => {
    for (const engine of open) await engine.close();
    await owned.dispose();
  });

  it('has a table and an index of it warmed, as one with pages of 16 KiB has', async () => {
    const [source, target] = [engineOn('db1'), engineOn('db2')];
    const identity = await target.identify();
    expect(Math.abs(identity.poolBlocks / poolBlocks - 1)).toBeLessThan(0.02);
    expect(identity).toMatchObject({
      ...{ blockBytes: pageBytes, canWarm: true, degraded: [] },
    });
    expect((await target.check()).filter(({ level }) => level === 'fault')).toEqual([]);
    await cluster.server('db1').query('SELECT SUM(LENGTH(pad)) FROM items USE INDEX ()');
    await cluster.server('db1').query('SELECT COUNT(code) FROM items FORCE INDEX (code_idx)');
    const workSet = await source.workSet('app1', wanted);
    expect(workSet).toMatchObject({ blockBytes: pageBytes, blocksKnown: true });
    const matches = await target.match(workSet);
    expect(matches.map(({ wanted: { name }, verdict }) => [name, verdict])).toEqual([
      ['items', 'blocks'],
      ['items.code_idx', 'blocks'],
    ]);
    for (const { wanted: listed, local } of matches) {
      const all = blockCount(listed.ranges);
      const bytes = all * pageBytes;
      // 900 bytes a row, and 44 in the index; pages are not all full.
      const least = (listed.kind === 'table' ? 900 : 44) * rows;
      expect(bytes).toBeGreaterThan(least);
      expect(bytes).toBeLessThan(3 * least + 4 * pageBytes);
      expect(await residencyOf(target, local!)).toBeLessThan(0.5);
      await warmWhole(target, local!);
      expect(await residencyOf(target, local!)).toBeGreaterThanOrEqual(0.95);
    }
  });
});
