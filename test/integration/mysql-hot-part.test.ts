import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Engine, LocalRelation } from '../../src/engines/engine.ts';
import { createMysqlEngine } from '../../src/engines/mysql/engine.ts';
import { means } from '../../src/engines/mysql/hot-part.ts';
import { type MysqlCluster, startMysqlCluster } from '../../src/lab/mysql-cluster.ts';
import { runScript } from '../../src/lab/mysql-script.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { ProfileRelation } from '../../src/messages/profile.ts';
import { type BlockRanges, blockCount, intersect, singleRange } from '../../src/planning/block-ranges.ts';
import { relationKey } from '../../src/planning/work-set.ts';
import { mysqlKinds } from './mysql-kinds.ts';

const setup = readFileSync(new URL('../../sql/mysql/setup.sql', import.meta.url), 'utf8');
const rows = 60_000;
/** Pages that the server may read ahead behind a scan. */
const extent = 64;

const table = (name: string): ProfileRelation => ({
  ...{ database: 'app', schema: 'app', weight: 1, share: 0.25, name, kind: 'table' },
});
const index = (of: string, name: string): ProfileRelation => ({
  ...table(`${of}.${name}`),
  kind: 'index',
  parent: `app.${of}`,
});

describe.each(mysqlKinds)('an index of which a part is hot on %s', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let cluster: MysqlCluster;
  const open: Engine[] = [];

  const engineOn = (name: string, onQuery: (name: string) => void = () => {}, surveyMs = 20_000) => {
    const engine = createMysqlEngine(kind, {
      replica: name,
      url: cluster.server(name).url({ user: 'forewarm', password: 'secret' }),
      databases: [],
      vms: [],
      statementTimeoutMs: 10_000,
      // On a busy machine each question takes long.
      surveyMs,
      onQuery,
      logger: silentLogger,
    });
    open.push(engine);
    return engine;
  };

  beforeAll(async () => {
    cluster = await startMysqlCluster({
      owned,
      kind,
      replicas: ['db1', 'db2'],
      settings: { innodb_buffer_pool_size: '256M' },
      load: async (connection) => {
        await connection.query('CREATE TABLE digits (d int PRIMARY KEY)');
        await connection.query('INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)');
        await connection.query(
          `CREATE TABLE numbers AS SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS n
           FROM digits a, digits b, digits c, digits e`,
        );
        await connection.query(
          'CREATE TABLE items (id int PRIMARY KEY, at datetime NOT NULL, code char(200) NOT NULL, pad varchar(1000), KEY at_idx (at, code))',
        );
        await connection.query('CREATE TABLE tokens (token char(32) PRIMARY KEY, pad varchar(1000))');
        // Few values with many rows each, that come in no order: pages are half empty.
        await connection.query(
          'CREATE TABLE orders (id int PRIMARY KEY, shop int NOT NULL, code char(200) NOT NULL, KEY shop_idx (shop, code))',
        );
        for (let part = 0; part < rows / 10_000; part++) {
          const id = `n + ${part * 10_000}`;
          // Gaps in the keys: places are not parts of their range.
          await connection.query(
            `INSERT INTO items SELECT (${id}) * IF(${part} < 2, 1, 50), FROM_UNIXTIME(1600000000 + (${id}) * 60), SHA2(${id}, 256),
             REPEAT('x', 900) FROM numbers`,
          );
          await connection.query(
            `INSERT INTO tokens SELECT SUBSTR(SHA2(${id}, 256), 1, 32), REPEAT('x', 500) FROM numbers`,
          );
          await connection.query(
            `INSERT INTO orders SELECT ${id}, 3 * MOD(CONV(SUBSTR(SHA2(${id}, 256), 1, 8), 16, 10), 40), SHA2(${id}, 256) FROM numbers`,
          );
        }
        await connection.query(
          'CREATE TABLE metrics (device int, at int, pad varchar(400), PRIMARY KEY (device, at)) PARTITION BY HASH(device) PARTITIONS 8',
        );
        for (let part = 0; part < 8; part++) {
          await connection.query(
            `INSERT INTO metrics SELECT n % 1000, n DIV 1000 + ${10 * part}, REPEAT('x', 320) FROM numbers`,
          );
        }
        await connection.query('ANALYZE TABLE items, tokens, orders, metrics');
        await connection.query("SET @forewarm_password = 'secret', @forewarm_database = 'app'");
        await runScript(connection, setup);
      },
    });
  }, 240_000);

  afterAll(async () => {
    for (const engine of open) await engine.close();
    await owned.dispose();
  });

  const counted = async (name: string, what: string) => {
    const [row] = await cluster.server(name).query<{ Value: string }>('SHOW GLOBAL STATUS LIKE ?', [what]);
    return Number(row?.Value);
  };

  /** Pages that statements waited for. */
  const pagesRead = (name: string) => counted(name, 'Innodb_buffer_pool_reads');

  /** All that came from the disk, the server's own reading ahead included. */
  const pagesBrought = (name: string) => counted(name, 'Innodb_pages_read');

  /** Pages that a statement needed of the disk. */
  const costOf = async (name: string, text: string) => {
    const before = await pagesRead(name);
    await cluster.server(name).query(text);
    return (await pagesRead(name)) - before;
  };

  async function warm(engine: Engine, relation: LocalRelation, ranges: BlockRanges): Promise<void> {
    for (let at = 0; at < ranges.starts.length; at++) {
      const end = ranges.starts[at]! + ranges.lengths[at]!;
      for (let from = ranges.starts[at]!; from < end; from += 400) {
        await engine.warm({
          relation,
          tier: 'pool',
          readThrough: [],
          wanted: [from, Math.min(end, from + 400)],
        });
      }
    }
  }

  async function restart(...names: string[]): Promise<void> {
    for (const name of names) await cluster.server(name).restart();
    await cluster.waitForReplicas();
  }

  interface Hot {
    readonly what: string;
    readonly relation: ProfileRelation;
    readonly text: string;
    /**
     * Of what the source holds of it, at most: wanted; brought at the target for it, with all questions, but for an extent
     * behind each stretch; and still missing afterwards.
     */
    readonly most: { readonly wanted: number; readonly brought: number; readonly missing: number };
  }

  // 7 % each, in the middle of the rows, of the times, of the tokens and of the shops.
  const hot: readonly Hot[] = [
    {
      what: 'rows by number',
      relation: table('items'),
      text: 'SELECT SUM(LENGTH(pad)) FROM items FORCE INDEX (PRIMARY) WHERE id BETWEEN 1250000 AND 1460000',
      most: { wanted: 1.5, brought: 1.5, missing: 0.1 },
    },
    {
      what: 'rows by text',
      relation: table('tokens'),
      text: "SELECT SUM(LENGTH(pad)) FROM tokens FORCE INDEX (PRIMARY) WHERE token BETWEEN '60' AND '72'",
      most: { wanted: 1.5, brought: 1.5, missing: 0.1 },
    },
    {
      what: 'times',
      relation: index('items', 'at_idx'),
      text: `SELECT COUNT(*) FROM items FORCE INDEX (at_idx)
        WHERE at BETWEEN FROM_UNIXTIME(1600000000 + 60 * 33000) AND FROM_UNIXTIME(1600000000 + 60 * 37200)`,
      most: { wanted: 2, brought: 2, missing: 0.2 },
    },
    {
      what: 'three of forty shops',
      relation: index('orders', 'shop_idx'),
      text: 'SELECT COUNT(*) FROM orders FORCE INDEX (shop_idx) WHERE shop IN (30, 33, 36)',
      most: { wanted: 2.5, brought: 2.5, missing: 0.2 },
    },
  ];

  /** What the pool of db1 holds of an index. */
  const heldOf = async ({ relation }: Pick<Hot, 'relation'>) => {
    const [of, key = 'PRIMARY'] = relation.name.split('.');
    const [counted] = await cluster.server('db1').query<{ pages: string }>(
      `SELECT COUNT(*) AS pages FROM information_schema.INNODB_BUFFER_PAGE
        WHERE TABLE_NAME LIKE CONCAT('%', ?, '%') AND INDEX_NAME = ?`,
      [of, key],
    );
    return Number(counted?.pages);
  };

  it('is warmed by that part, and its record says how it was found', async () => {
    await restart('db1', 'db2');
    const source = engineOn('db1');
    const target = engineOn('db2');
    const held = new Map<string, number>();
    for (const one of hot) {
      await cluster.server('db1').query(one.text);
      held.set(one.what, await heldOf(one));
    }
    const workSet = await source.workSet(
      'app1',
      hot.map(({ relation }) => relation),
    );
    for (const { what, relation, text, most } of hot) {
      const wanted = workSet.relations.find(({ name }) => name === relation.name)!;
      const before = await pagesBrought('db2');
      const [match] = await target.match({ ...workSet, relations: [wanted] });
      if (match?.local === undefined) throw new Error(`${what}: ${match?.reason}`);
      const { ranges } = match.wanted;
      expect([what, match.how]).toEqual([what, means.probed]);
      expect(blockCount(ranges) / held.get(what)!, what).toBeLessThan(most.wanted);
      await target.poolState([match.local]);
      await warm(target, match.local, ranges);
      await target.poolState([match.local]);
      const brought = (await pagesBrought('db2')) - before - extent * ranges.starts.length;
      expect(brought / held.get(what)!, what).toBeLessThan(most.brought);
      expect((await costOf('db2', text)) / held.get(what)!, what).toBeLessThan(most.missing);
    }
  });

  it('is the same at a second look, though the first has brought pages itself', async () => {
    await restart('db1');
    const source = engineOn('db1');
    const shops = hot.at(-1)!;
    await cluster.server('db1').query(shops.text);
    const held = await heldOf(shops);
    const found: BlockRanges[] = [];
    const pages: number[] = [];
    for (let look = 0; look < 3; look++) {
      const { relations } = await source.workSet('app1', [shops.relation]);
      found.push(relations[0]!.ranges);
      pages.push(await heldOf(shops));
    }
    expect(pages[0]).toBeGreaterThan(held);
    expect(pages[2]! - pages[0]!).toBeLessThan(16);
    for (const ranges of found) {
      expect(blockCount(intersect(ranges, found[0]!)) / held).toBeGreaterThan(0.8);
      expect(blockCount(ranges) / held).toBeLessThan(2.5);
    }
  });

  // Where there is no time to ask all of them, what was begun must not count as the VM's later.
  it.each([
    { ms: 20_000, low: 0.8 },
    { ms: 100, low: 0 },
  ])('is found in partitions by hash, within $ms ms and over minutes of looks', async ({ ms, low }) => {
    await restart('db1');
    const source = engineOn('db1', () => {}, ms);
    const relation = table('metrics');
    for (let device = 0; device < 300; device++)
      await cluster.server('db1').query('SELECT SUM(LENGTH(pad)) FROM metrics WHERE device = ?', [device]);
    const held = await heldOf({ relation });
    const real = performance.now.bind(performance);
    try {
      for (let look = 0; look < 4; look++) {
        vi.spyOn(performance, 'now').mockImplementation(() => real() + look * 40_000);
        const { relations } = await source.workSet('app1', [relation]);
        const wanted = relations.reduce((sum, { ranges }) => sum + blockCount(ranges), 0);
        const inLow = relations.reduce((sum, { ranges, sizeBlocks }) => {
          const half = singleRange(0, Math.ceil(sizeBlocks / 2), 1);
          return sum + blockCount(intersect(ranges, half));
        }, 0);
        expect(inLow / held, `of the half that is read, at look ${look}`).toBeGreaterThanOrEqual(low);
        expect(wanted / held, `at look ${look}`).toBeLessThan(2);
        expect((await heldOf({ relation })) / held, `after look ${look}`).toBeLessThan(2);
      }
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('is as much as the source holds where that lies scattered, and no more', async () => {
    await restart('db1');
    const source = engineOn('db1');
    for (let at = 0; at < 300; at++) {
      const id = 1_000_000 + ((at * 7_919) % 40_000) * 50;
      await cluster.server('db1').query('SELECT LENGTH(pad) FROM items WHERE id = ?', [id]);
    }
    const held = await heldOf(hot[0]!);
    const { relations } = await source.workSet('app1', [table('items')]);
    expect(blockCount(relations[0]!.ranges)).toBeLessThan(1.6 * held);
  });

  it('is found again where an agent that was started anew does not know what was read', async () => {
    const source = engineOn('db1');
    const workSet = await source.workSet('app1', [table('items')]);
    await restart('db2');
    const whole = { ...workSet.relations[0]!, ranges: singleRange(0, workSet.relations[0]!.sizeBlocks, 1) };
    const everything = { ...workSet, relations: [whole] };
    const first = engineOn('db2');
    const [{ local } = {}] = await first.match(everything);
    const half = singleRange(Math.round(local!.sizeBlocks * 0.2), Math.round(local!.sizeBlocks * 0.4), 1);
    await warm(first, local!, half);

    const second = engineOn('db2');
    const [again] = await second.match(everything);
    const { resident } = await second.poolState([again!.local!]);
    const held = resident.get(relationKey(again!.local!))!;
    // Nearly all of what it holds, and little of what it does not: anywhere, it would be two fifths.
    const inHalf = blockCount(intersect(held, half));
    expect(inHalf / blockCount(half)).toBeGreaterThan(0.85);
    expect(inHalf / blockCount(held)).toBeGreaterThan(0.85);
  });

  it('is read anew, and hardly asked for, where a restart has emptied the pool', async () => {
    const workSet = await engineOn('db1').workSet('app1', [table('items')]);
    const whole = { ...workSet.relations[0]!, ranges: singleRange(0, workSet.relations[0]!.sizeBlocks, 1) };
    const target = engineOn('db2');
    const local = async () => (await target.match({ ...workSet, relations: [whole] }))[0]!.local!;
    const residentOf = async (relation: LocalRelation) =>
      blockCount((await target.poolState([relation])).resident.get(relationKey(relation))!);
    const before = await local();
    await warm(target, before, whole.ranges);
    expect((await residentOf(before)) / before.sizeBlocks).toBeGreaterThan(0.9);
    await restart('db2');
    const after = await local();
    const read = await pagesRead('db2');
    expect(await residentOf(after)).toBeLessThan(100);
    expect((await pagesRead('db2')) - read).toBeLessThan(50);
  });

  it('is looked for ahead, and again where more is asked for', async () => {
    const looks: string[] = [];
    const target = engineOn('db2', (name) => looks.push(name));
    const workSet = await engineOn('db1').workSet('app1', [table('items'), table('tokens')]);
    const [items, tokens] = (await target.match(workSet)).map(({ local }) => local!);
    const looked = () => looks.filter((name) => ['cached-by-file', 'cached-indexes'].includes(name)).length;
    const countOf = async (relation: LocalRelation) =>
      blockCount((await target.poolState([relation])).resident.get(relationKey(relation))!);
    const count = await countOf(items!);
    const before = looked();
    await target.foresee([table('items')], 1);
    // A look at pages that are not counted may count twice.
    await expect.poll(looked, { timeout: 20_000 }).toBeGreaterThan(before);
    // Questions of the looks before bring some.
    expect(Math.abs((await countOf(items!)) - count)).toBeLessThan(400);
    const once = looked();
    await target.foresee([table('items')], 1);
    expect((await target.poolState([items!, tokens!])).resident.size).toBe(2);
    expect(looked()).toBeGreaterThanOrEqual(once + 2);
  });
});
