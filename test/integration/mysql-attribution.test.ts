import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VmRule } from '../../src/attribution/vm-rules.ts';
import { freePort } from '../../src/lab/free-port.ts';
import { locateMysql } from '../../src/lab/mysql-binaries.ts';
import type { MysqlKind } from '../../src/lab/mysql-kinds.ts';
import { MysqlServer } from '../../src/lab/mysql-server.ts';
import type { MysqlSettings } from '../../src/lab/mysql-settings.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import {
  type MysqlAttributionRun,
  measureMysqlTruth,
  runMysqlAttribution,
  type Truth,
} from './fixtures/mysql-attribution-run.ts';
import { mainSchema, secondSchema } from './fixtures/mysql-attribution-schema.ts';

const names = { main: 'attribution main', second: 'Zweite-Ä' };
const vms: VmRule[] = [
  { vm: 'app1', user: 'app1' },
  { vm: 'app2', user: 'app2', address: '127.0.0.0/8' },
  { vm: 'app3', applicationName: 'app3*' },
  { vm: 'app4', user: 'shared', applicationName: 'app4' },
  { vm: 'app6', user: 'shared', applicationName: 'app6' },
  { vm: 'app5', user: 'shared', applicationName: 'app?' },
  { vm: 'scanner', user: 'scanner' },
  { vm: 'writer', user: 'writer' },
];
const readers = ['app1', 'app2', 'app3', 'app4', 'app5', 'app6'] as const;
const all = [...readers, 'scanner', 'writer'] as const;

async function startServer(
  owned: OwnedProcesses,
  kind: MysqlKind,
  settings: MysqlSettings = {},
): Promise<MysqlServer> {
  const server = new MysqlServer({
    owned,
    binaries: await locateMysql(kind),
    name: 'attribution',
    port: await freePort(),
    settings,
  });
  await server.initialize();
  await server.start();
  for (const [database, schema] of [
    [names.main, mainSchema],
    [names.second, secondSchema],
  ] as const) {
    await server.query(`CREATE DATABASE \`${database}\``);
    const connection = await server.connect({ database });
    for (const text of schema) await connection.query(text);
    await connection.end();
  }
  for (const user of ['app1', 'app2', 'shared', 'scanner', 'writer', 'observer']) {
    await server.query("CREATE USER ?@'127.0.0.1'", [user]);
    const rights = user === 'observer' ? 'SELECT, SHOW VIEW' : 'SELECT, INSERT, UPDATE, DELETE, EXECUTE';
    for (const database of Object.values(names)) {
      await server.query(`GRANT ${rights} ON \`${database}\`.* TO ?@'127.0.0.1'`, [user]);
    }
  }
  await server.query("GRANT SELECT ON performance_schema.* TO 'observer'@'127.0.0.1'");
  await server.query("GRANT PROCESS ON *.* TO 'observer'@'127.0.0.1'");
  return server;
}

const relationsOf = (run: Pick<MysqlAttributionRun, 'profileOf'>, vm: string) =>
  run.profileOf(vm).relations.map((one) => ({ ...one, full: `${one.database}.${one.name}` }));
const tablesOf = (run: Pick<MysqlAttributionRun, 'profileOf'>, vm: string) =>
  new Set(relationsOf(run, vm).map((one) => one.parent ?? one.full));
/** Neither counts the accesses by ranges to a partitioned table, nor those by a full-text index. */
const uncounted = [`${names.main}.readings`, `${names.main}.texts`, `${names.main}.readings.readings_value`];
const list = (map: ReadonlyMap<string, number>, least: number) =>
  [...map].filter(([, share]) => share >= least).map(([key]) => key);

describe.each<MysqlKind>(['mariadb', 'mysql'])('attribution on %s', (kind) => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let truth: ReadonlyMap<string, Truth> = new Map();
  let run: MysqlAttributionRun | undefined;
  let missing = '';

  beforeAll(async () => {
    const binaries = await locateMysql(kind).catch((error: Error) => {
      missing = error.message;
    });
    if (!binaries) return;
    const server = await startServer(owned, kind);
    truth = await measureMysqlTruth(server, names, 60);
    run = await runMysqlAttribution({
      ...{ server, observerUser: 'observer', names, vms, windows: 8 },
      areFound: (profileOf) =>
        all.every((vm) => {
          const seen = tablesOf({ profileOf }, vm);
          return list(truth.get(vm)!.tables, 0.01).every((table) => seen.has(table));
        }),
    });
  }, 600_000);
  afterAll(() => owned.dispose());

  function ran(skip: (note: string) => void): MysqlAttributionRun {
    if (run === undefined) skip(missing);
    return run!;
  }

  describe.each(all)('%s', (vm) => {
    it('has the tables that it touches, from 1 % on, and no other', ({ skip }) => {
      const seen = tablesOf(ran(skip), vm);
      const { tables } = truth.get(vm)!;
      expect(list(tables, 0.01).filter((table) => !seen.has(table))).toEqual([]);
      expect([...seen].filter((table) => !tables.has(table) && !uncounted.includes(table))).toEqual([]);
      expect(seen.has(uncounted[0]!)).toBe(vm === 'app1');
      expect(seen.has(uncounted[1]!)).toBe(vm === 'app5');
    });

    it('has little that nothing explains', ({ skip }) => {
      const { share, statements } = ran(skip).profileOf(vm).unexplained;
      expect(share, JSON.stringify(statements)).toBeLessThan(0.1);
    });
  });

  it.each(readers)('finds the indexes by which %s reads, from 1 %% on, and no other', (vm) => {
    if (run === undefined) return;
    const { indexes, tables } = truth.get(vm)!;
    const seen = relationsOf(run, vm).map((one) => one.full);
    expect(list(indexes, 0.01).filter((index) => !seen.includes(index))).toEqual([]);
    // A lookup by another index may need the clustered one, which the server does not count then.
    const known = (index: string) => indexes.has(index) || tables.has(index) || uncounted.includes(index);
    expect(seen.filter((index) => !known(index))).toEqual([]);
  });

  it('finds the index of a partitioned table by which ranges are read', ({ skip }) => {
    const seen = relationsOf(ran(skip), 'app1').map((one) => one.full);
    expect(seen).toContain(`${names.main}.readings.readings_value`);
  });

  it('finds a small table that is looked up all the time beside one that is scanned', ({ skip }) => {
    const seen = relationsOf(ran(skip), 'scanner');
    const share = seen.find((one) => one.full === `${names.main}.settings`)?.share;
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(0.001);
    expect(seen.map((one) => one.full).sort()).toEqual([`${names.main}.orders`, `${names.main}.settings`]);
  });

  it('has the clustered index with another that does not answer alone', ({ skip }) => {
    const names = relationsOf(ran(skip), 'app4').map((one) => [one.name, one.kind, one.parent]);
    expect(new Set(names.map(String))).toEqual(
      new Set(
        [
          ['items', 'table', undefined],
          ['items.items_grp', 'index', 'Zweite-Ä.items'],
        ].map(String),
      ),
    );
  });

  it('tells the same statement on two databases apart, and counts clients that no rule matches', ({
    skip,
  }) => {
    const { windows } = ran(skip);
    expect(windows.some((window) => window.unmatched.sessions > 0)).toBe(true);
    expect(windows.reduce((sum, window) => sum + window.unmatched.blocks, 0)).toBeGreaterThan(0);
    for (const vm of all) expect([...tablesOf(ran(skip), vm)]).not.toContain(`${names.main}.reports`);
  });

  it('books every access once: relations and what is unexplained add up to the volume', ({ skip }) => {
    const sum = (parts: readonly { blocks: number }[]) => parts.reduce((total, one) => total + one.blocks, 0);
    for (const vm of all) {
      const seen = ran(skip).seenOf(vm);
      const booked = seen.reduce((total, one) => total + sum(one.relations) + sum(one.unexplained), 0);
      expect(sum(seen)).toBeGreaterThan(0);
      expect(booked / sum(seen)).toBeGreaterThan(0.97);
      expect(booked / sum(seen)).toBeLessThan(1.001);
    }
  });

  it('publishes names and digests, and no value of a statement', ({ skip }) => {
    for (const vm of all) {
      for (const one of ran(skip).profileOf(vm).unexplained.statements) {
        expect(one.queryId).toMatch(/^[\da-f]{32,64}$/);
      }
    }
  });
});

describe('attribution on a MariaDB without performance_schema', () => {
  const owned = new OwnedProcesses({ handleSignals: false });
  let run: MysqlAttributionRun;

  beforeAll(async () => {
    const server = await startServer(owned, 'mariadb', { performance_schema: false });
    run = await runMysqlAttribution({
      ...{ server, observerUser: 'observer', names, vms, windows: 8 },
      areFound: (profileOf) => tablesOf({ profileOf }, 'app1').size > 0,
    });
  }, 600_000);
  afterAll(() => owned.dispose());

  it('finds tables by what runs at each look, and says that all of it was sampled', () => {
    const mine = ['customers', 'orders', 'readings', 'numbers'].map((table) => `${names.main}.${table}`);
    const seen = [...tablesOf(run, 'app1')];
    expect(seen.length).toBeGreaterThan(0);
    const others = [`${names.second}.items`, `${names.second}.orders`];
    expect(seen.filter((table) => ![...mine, ...others].includes(table))).toEqual([]);
    expect(run.profileOf('app1').splitShare).toBeCloseTo(1, 5);
  });

  it('gives nothing to a VM that is known by its program_name alone', () => {
    expect(run.seenOf('app3')).toEqual([]);
    expect(run.windows.some((window) => window.unmatched.sessions > 0)).toBe(true);
  });
});
