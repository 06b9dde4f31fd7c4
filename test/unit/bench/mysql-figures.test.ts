import { describe, expect, test } from 'vitest';
import type { FullPoolRun } from '../../../src/bench/full-pool.ts';
import type { HotPartRun } from '../../../src/bench/hot-part.ts';
import { benchSettings, type MysqlBench } from '../../../src/bench/mysql.ts';
import { goalsOf } from '../../../src/bench/mysql-figures.ts';
import type { MigrationRecord } from '../../../src/messages/record.ts';
import { armRun, experimentOf } from '../lab/experiments.ts';

const settings = benchSettings({ engine: 'mysql', quick: true, seed: 1, repetitions: 3 });

function recordOf(vm: string, tables: readonly string[]): MigrationRecord {
  return {
    ...{ v: 1, id: `${vm}-1`, vm, target: 'db2', state: 'aborted' },
    ...{ deadline: '2026-01-01T00:01:00.000Z', issuedAt: '2026-01-01T00:00:00.000Z' },
    relations: tables.map((name) => ({
      ...{ database: 'app', schema: 'app', name, strategy: 'blocks' as const, blocks: 1 },
    })),
  };
}

const fullRun: FullPoolRun = {
  ...{ readyMs: 1_000, wantedPages: 200, plannedPages: 100, keptPages: 90, hotPages: 50, lostHotPages: 0 },
  record: recordOf('app1', ['app1_data']),
};
const hotRun: HotPartRun = {
  ...{ place: 'newest', readyMs: 500, neededPages: 100, readPages: 150, foundPages: 99 },
  record: recordOf('app4', ['app4_data']),
};

function goals(parts: Partial<MysqlBench> = {}) {
  const runs = [
    armRun('warm', { before: 2_000, after: 20_000 }),
    armRun('forewarm', { before: 2_000, after: 18_000, readyMs: 90 }),
  ];
  const cold = armRun('cold', { before: 2_000, after: 100 });
  const bench: MysqlBench = {
    ...{ settings, experiment: experimentOf([cold, ...runs]), fullPool: [fullRun], hotPart: [hotRun] },
    ...parts,
  };
  const move = bench.experiment.runs.find(({ migration }) => migration !== undefined)?.migration;
  if (move === undefined) throw new Error('no arm was a migration');
  Object.assign(move.record, { relations: recordOf('app1', ['app1_data']).relations });
  return new Map(goalsOf(bench).map((one) => [one.figure, one]));
}

describe('goals on InnoDB', () => {
  test('hold each figure against its limit', () => {
    const found = goals();
    // 10.24 MB at 16 KiB an operation, 3,000 of them a second.
    const ready = found.get('empty pool: intent to ready ÷ floor');
    expect(ready).toMatchObject({ limit: '≤ 1.15', met: 'yes' });
    expect(ready?.median).toBeCloseTo(90 / 208, 2);
    expect(found.get('first second: throughput ÷ always warm')).toMatchObject({ median: 0.9, met: 'no' });
    expect(found.get('full pool: planned pages kept')).toMatchObject({ median: 0.9, met: 'yes' });
    expect(found.get("full pool: resident's hot pages lost")).toMatchObject({ median: 0, met: 'yes' });
    expect(found.get('hot part, newest: pages read ÷ needed')).toMatchObject({ median: 1.5, met: 'yes' });
    expect(found.get('hot part, newest: needed pages found')).toMatchObject({ median: 0.99, met: 'yes' });
  });

  test('one hot page that is lost is one too many', () => {
    const found = goals({ fullPool: [fullRun, fullRun, { ...fullRun, lostHotPages: 1 }] });
    expect(found.get("full pool: resident's hot pages lost")?.met).toBe('no');
  });

  test('what was read of the wrong keys counts for nothing', () => {
    const found = goals({ hotPart: [{ ...hotRun, place: 'middle', readPages: 100, foundPages: 3 }] });
    expect(found.get('hot part, middle: pages read ÷ needed')?.met).toBe('yes');
    expect(found.get('hot part, middle: needed pages found')?.met).toBe('no');
  });

  test("another VM's table in a work set is told", () => {
    const wrong = recordOf('app4', ['app4_data', 'app1_data']);
    const found = goals({ hotPart: [{ ...hotRun, record: wrong }] });
    expect(found.get('tables read by a VM: found')).toMatchObject({ median: 1, met: 'yes' });
    expect(found.get('tables not read by a VM: taken for its own')).toMatchObject({
      ...{ values: [0, 0, 1], met: 'no' },
    });
  });
});
