import { describe, expect, test } from 'vitest';
import { driftAt } from '../../../src/bench/drift.ts';
import { touchedPages } from '../../../src/bench/rivals/index-pages.ts';
import { dumpedBlocks } from '../../../src/bench/rivals/postgres-ways.ts';
import { executedStatements, loggedStatements } from '../../../src/bench/rivals/sampled-statements.ts';
import { timeToShareMs, worthOf } from '../../../src/bench/worth.ts';
import { relationMap } from '../../../src/lab/experiment/pool-map.ts';
import { LoadMeter } from '../../../src/lab/load-meter.ts';
import { TouchedBlocks } from '../../../src/lab/touched-blocks.ts';

/** A pool that holds these blocks of these relations. */
const pool = (blocks: Readonly<Record<string, readonly number[]>>) =>
  Object.entries(blocks).map(([name, held]) =>
    relationMap(
      { name, kind: 'table', sizeBlocks: 100 },
      { blocks: held, heats: held.map(() => 1), maxHeat: 5 },
    ),
  );

/** Samples of 100 ms from the switch on, a list of transactions a second. */
const samples = (...tps: readonly number[]) =>
  tps.map((each, i) => ({
    ...{ atMs: i * 100, durationMs: 100, transactions: each / 10, failed: 0 },
    ...{ p50Ms: 1, p95Ms: 1, p99Ms: 1, maxMs: 1 },
  }));

describe('what a warming was worth', () => {
  test('precision counts what came in meanwhile, of any relation; recall what was there at the end', () => {
    const worth = worthOf({
      before: pool({ own: [1], other: [1, 2] }),
      after: pool({ own: [1, 2, 3, 4], other: [1, 2, 3, 4] }),
      touched: new Map([['own', new Set([1, 2, 3, 9])]]),
    });
    // Warmed: own 2, 3, 4 and other 3, 4; of them 2 and 3 are touched. Of 1, 2, 3, 9 all but 9 are there.
    expect(worth).toEqual({ warmedBlocks: 5, precision: 2 / 5, touchedBlocks: 4, recall: 3 / 4 });
  });

  test('who warms nothing has no precision, and who reads nothing no recall', () => {
    expect(worthOf({ before: pool({ own: [1] }), after: pool({ own: [1] }), touched: new Map() })).toEqual({
      ...{ warmedBlocks: 0, precision: undefined, touchedBlocks: 0, recall: undefined },
    });
  });
});

describe('the time to a share of the control', () => {
  const by = { controlTps: 1_000, share: 0.95 };
  test('is the begin of the first second that reaches it on average', () => {
    const rising = samples(...new Array(5).fill(100), ...new Array(20).fill(1_000));
    expect(timeToShareMs(rising, by)).toBe(500);
    expect(timeToShareMs(samples(...new Array(20).fill(990)), by)).toBe(0);
  });

  test('a short peak does not count, nor what comes before the switch', () => {
    const peak = samples(100, 100, 1_500, ...new Array(20).fill(100));
    expect(timeToShareMs(peak, by)).toBeUndefined();
    const before = samples(...new Array(30).fill(1_000)).map((one) => ({ ...one, atMs: one.atMs - 3_000 }));
    expect(timeToShareMs(before, by)).toBeUndefined();
  });
});

describe('drift', () => {
  const controls = [
    { at: 0, tps: 1_000, p50Ms: 1 },
    { at: 3, tps: 1_050, p50Ms: 1.1 },
    { at: 6, tps: 800, p50Ms: 1.1 },
  ];
  test('is how far the controls around a run lie apart', () => {
    expect(driftAt(controls, 1)).toMatchObject({ comparable: true });
    expect(driftAt(controls, 1).tps).toBeCloseTo(0.05);
    expect(driftAt(controls, 4)).toMatchObject({ comparable: false });
    expect(driftAt(controls, 4).tps).toBeCloseTo(1_050 / 800 - 1);
  });

  test('the last control has itself alone, and without a control on both sides nothing is compared', () => {
    expect(driftAt(controls, 6)).toEqual({ tps: 0, p50: 0, comparable: true });
    expect(driftAt(controls, 7).comparable).toBe(false);
    expect(driftAt([], 1).comparable).toBe(false);
    expect(driftAt([{ at: 0, tps: 0, p50Ms: 0 }], 1).comparable).toBe(false);
  });

  test('a slower median read alone is drift too', () => {
    const slower = [controls[0]!, { at: 3, tps: 1_000, p50Ms: 1.5 }];
    expect(driftAt(slower, 1)).toMatchObject({ tps: 0, comparable: false });
  });
});

describe('what a load touched', () => {
  test('blocks hold 34 rows each, and survive as text', () => {
    const touched = new TouchedBlocks(34 * 20);
    touched.mark([1, 34]);
    touched.mark([35, 36]);
    touched.mark([34 * 9, 34 * 9 + 1]);
    touched.mark([34 * 20, 34 * 20]);
    expect(TouchedBlocks.blocksOf(touched.encode())).toEqual([0, 1, 8, 9, 19]);
  });

  test('goes through the leaves of its ids and all pages above them', () => {
    // 34 rows a block: ids 1 to 40, 41 to 80, 81 to 102.
    const pages = [
      { block: 0, leaf: false, ids: 0 },
      { block: 1, leaf: true, ids: 40 },
      { block: 2, leaf: true, ids: 40 },
      { block: 3, leaf: false, ids: 3 },
      { block: 4, leaf: true, ids: 22 },
    ];
    expect([...touchedPages(pages, [0])].sort()).toEqual([0, 1, 3]);
    expect([...touchedPages(pages, [1])].sort()).toEqual([0, 1, 2, 3]);
    expect([...touchedPages(pages, [0, 2])].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(touchedPages(pages, []).size).toBe(0);
  });
});

test('a meter tells percentiles of its latencies', () => {
  const meter = new LoadMeter();
  for (let ms = 1; ms <= 100; ms++) meter.succeeded(ms);
  const { p50Ms, p95Ms, p99Ms, maxMs } = meter.sample();
  for (const [value, wanted] of [
    [p50Ms, 50],
    [p95Ms, 95],
    [p99Ms, 99],
    [maxMs, 100],
  ] as const) {
    expect(Math.abs(value - wanted)).toBeLessThan(wanted * 0.01);
  }
});

test("executed statements are taken from the log with their parameters, others' and other steps are not", () => {
  const prefix = '2026-01-01 00:00:00.000 UTC [7]';
  const log = [
    `${prefix} app1@app app1 LOG:  duration: 0.020 ms  bind read: SELECT 1 WHERE id = $1`,
    `${prefix} app1@app app1 DETAIL:  Parameters: $1 = '5'`,
    `${prefix} app1@app app1 LOG:  duration: 0.120 ms  execute read: SELECT 1 WHERE id BETWEEN $1 AND $2`,
    `${prefix} app1@app app1 DETAIL:  Parameters: $1 = '5', $2 = 'it''s'`,
    `${prefix} app2@app app2 LOG:  duration: 0.120 ms  execute read: SELECT 2 WHERE id = $1`,
    `${prefix} app2@app app2 DETAIL:  Parameters: $1 = '6'`,
    `${prefix} app1@app app1 LOG:  duration: 0.120 ms  execute <unnamed>: SELECT 3 WHERE id = $1`,
    `${prefix} app1@app app1 DETAIL:  parameters: $1 = '7'`,
  ].join('\n');
  expect(loggedStatements(log, { role: 'app1', most: 10 })).toEqual([
    { text: 'SELECT 1 WHERE id BETWEEN $1 AND $2', values: ['5', "it's"] },
    { text: 'SELECT 3 WHERE id = $1', values: ['7'] },
  ]);
  expect(loggedStatements(log, { role: 'app1', most: 1 })).toHaveLength(1);
});

test('of a general log a share of the statements on one table is taken, with their values', () => {
  const line = (id: number, what: string) => `2026-11-27T07:00:00.000000Z\t   ${id} ${what}`;
  const read = (n: number) =>
    line(8, `Execute\tSELECT COUNT(*) FROM \`app1_data\` WHERE id BETWEEN ${n} AND 9`);
  const log = [
    '/usr/sbin/mysqld, Version: 9.7.0. started with:',
    line(8, 'Connect\tapp1@127.0.0.1 on app using TCP/IP'),
    line(8, 'Prepare\tSELECT COUNT(*) FROM `app1_data` WHERE id BETWEEN ? AND ?'),
    line(7, 'Execute\tSELECT COUNT(*) FROM `app1_data` WHERE id BETWEEN ? AND ?'),
    ...[1, 2, 3, 4].map(read),
    line(9, 'Execute\tSELECT COUNT(*) FROM `app2_data` WHERE id BETWEEN 5 AND 9'),
    // As MariaDB writes it.
    '261127  7:00:00\t    12 Execute\tSELECT COUNT(*) FROM `app1_data` WHERE id BETWEEN 5 AND 9',
    '\t\t    12 Execute\tSELECT COUNT(*) FROM `app1_data` WHERE id BETWEEN 6 AND 9',
  ].join('\n');
  const taken = (share: number, most: number) =>
    executedStatements(log, { table: 'app1_data', share, most }).map(
      ({ text }) => /BETWEEN (\d)/.exec(text)?.[1],
    );
  expect(taken(1, 10)).toEqual(['1', '2', '3', '4', '5', '6']);
  expect(taken(0.5, 10)).toEqual(['1', '3', '5']);
  expect(taken(0.5, 2)).toEqual(['3', '5']);
});

test('a dump of autoprewarm is taken apart by relation, main forks of one database only', () => {
  const dump = '<<5>>\n5,1663,100,0,1\n5,1663,100,0,2\n5,1663,100,1,0\n4,1663,200,0,7\n5,1663,101,0,3\n';
  expect(dumpedBlocks(dump, '5')).toEqual(
    new Map([
      ['1663,100', [1, 2]],
      ['1663,101', [3]],
    ]),
  );
});
