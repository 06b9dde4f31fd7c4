import { describe, expect, test } from 'vitest';
import { disturbance, goalsOf, residentsFigures, summarize } from '../../../src/bench/residents/figures.ts';
import { countHeld, hotBlocks } from '../../../src/bench/residents/hot-blocks.ts';
import { residentsReport, residentsText } from '../../../src/bench/residents/report.ts';
import {
  type ArmRun,
  type ResidentRun,
  type ResidentsBench,
  withDrift,
} from '../../../src/bench/residents/result.ts';
import { residentsSettings } from '../../../src/bench/residents/settings.ts';
import { renderTable } from '../../../src/commands/terminal/table.ts';
import { relationMap } from '../../../src/lab/experiment/pool-map.ts';

const settings = residentsSettings({
  ...{ engine: 'postgres', device: 'gp3', quick: true, seed: 1, repetitions: 2 },
});
const vms = settings.residents.map(({ vm }) => vm);

interface Given {
  readonly p99Ms: number;
  readonly p50Ms?: number;
  readonly lost?: number;
}

function stretch({ p99Ms, p50Ms = 0.3 }: Given, durationMs = 2_000) {
  return {
    ...{ atMs: 0, durationMs, transactions: durationMs / 2, failed: 0 },
    ...{ p50Ms, p95Ms: 0.6, p99Ms, maxMs: 9 },
  };
}

function resident(vm: string, arm: string, given: Given): ResidentRun {
  return {
    vm,
    before: stretch({ p99Ms: 1 }),
    during: arm === 'cold' ? undefined : stretch(given),
    after: stretch(given),
    hotBlocks: 900,
    lostBlocks: { warmed: given.lost ?? 0, end: 2 },
    missedBlocks: { during: 3, after: 4 },
    samples: [stretch(given, 100)],
  };
}

function run(arm: string, repetition: number, given: Given): Omit<ArmRun, 'drift'> {
  return {
    ...{ arm, repetition, failedQueries: 0, operationsRead: undefined, memory: undefined },
    stolenShare: 0.01,
    busyShare: { before: 0.3, during: 0.5 },
    residents: vms.map((vm) => resident(vm, arm, given)),
    readyMs: arm === 'forewarm' ? 1_500 : undefined,
    bytesRead: arm === 'forewarm' ? 5e7 : undefined,
    mover: arm === 'undisturbed' ? undefined : stretch({ p99Ms: 2 }),
    arrivedMs: arm === 'undisturbed' ? undefined : 2_000,
  };
}

function benchOf(...seen: readonly Omit<ArmRun, 'drift'>[]): ResidentsBench {
  return {
    ...{ settings, version: '18.4', runs: withDrift(seen), setAside: [] },
    device: { throttled: true },
    pageCache: { limited: false, reason: 'there is <none>' },
  };
}

const bench = benchOf(
  run('undisturbed', 1, { p99Ms: 1 }),
  run('cold', 1, { p99Ms: 5 }),
  run('forewarm', 1, { p99Ms: 3, lost: 1 }),
  run('undisturbed', 2, { p99Ms: 2 }),
  run('forewarm', 2, { p99Ms: 3 }),
  run('undisturbed', 3, { p99Ms: 2, p50Ms: 0.6 }),
);

describe('residents', () => {
  test('a p99 is held against the one right before it in the same run', () => {
    const [, cold, forewarm] = bench.runs;
    expect(disturbance(forewarm!, { vm: 'app4', stretch: 'during' })).toBeCloseTo(3);
    expect(disturbance(cold!, { vm: 'app4', stretch: 'after' })).toBeCloseTo(5);
    expect(disturbance(cold!, { vm: 'app4', stretch: 'during' })).toBeUndefined();
  });

  test('runs whose control drifted are left out of times, not of the count of pages', () => {
    expect(summarize(bench).find(({ arm }) => arm.name === 'forewarm')).toMatchObject({ refused: 1 });
    expect(residentsText(bench, renderTable)).toContain('Forewarm (1 of 2)');
    const valuesOf = (wanted: string) =>
      residentsFigures(bench).find(({ of, name }) => of === 'forewarm, app4' && name === wanted)?.values;
    expect(valuesOf('p99 during')).toEqual([3]);
    expect(valuesOf('hot pages lost when warmed')).toEqual([1, 0]);
  });

  test('one hot page that is lost is one too many, and a ratio within the noise of the controls is unclear', () => {
    const goals = new Map(goalsOf(bench).map((one) => [one.figure, one]));
    expect(goals.get('app4: hot pages lost when warmed')).toMatchObject({ values: [1, 0], met: 'no' });
    expect(goals.get('app5: p99 while warming ÷ before')).toMatchObject({ values: [3], met: 'no' });
    const close = benchOf(
      run('undisturbed', 1, { p99Ms: 1 }),
      run('forewarm', 1, { p99Ms: 1.4 }),
      run('undisturbed', 2, { p99Ms: 1.4 }),
    );
    expect(goalsOf(close)[0]).toMatchObject({ met: 'unclear' });
  });

  test('what was measured of a run that ended early can be shown', () => {
    const early = benchOf(run('undisturbed', 1, { p99Ms: 1 }));
    expect(residentsText(early, renderTable)).toContain('undisturbed');
    expect(residentsReport(early)).toContain('id="latency-app4"');
  });

  test('the report is one file with a chart for each resident, and says what was not limited', () => {
    const html = residentsReport(bench);
    for (const vm of vms) expect(html).toContain(`id="latency-${vm}"`);
    expect(html).toContain('there is &#60;none&#62;');
    expect(html).not.toContain('src="http');
  });

  test('hot blocks are those used three times and more, of the table and its key', () => {
    const relation = (name: string, blocks: readonly number[], heats: readonly number[]) =>
      relationMap({ name, kind: 'table', sizeBlocks: 100 }, { blocks, heats, maxHeat: 5 });
    const before = [
      relation('app4_data', [1, 2, 3], [5, 3, 2]),
      relation('app4_data_pkey', [1], [4]),
      relation('app5_data', [1], [5]),
    ];
    const hot = hotBlocks(before, { vm: 'app4', hotHeat: 3 });
    expect(hot).toEqual([
      { relation: 'app4_data', block: 1 },
      { relation: 'app4_data', block: 2 },
      { relation: 'app4_data_pkey', block: 1 },
    ]);
    expect(countHeld([relation('app4_data', [2, 9], [1, 1])], hot)).toBe(1);
  });
});
