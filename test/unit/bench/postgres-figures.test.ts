import { describe, expect, test } from 'vitest';
import { showSpread } from '../../../src/bench/goals.ts';
import { benchSettings } from '../../../src/bench/postgres.ts';
import { goalsOf } from '../../../src/bench/postgres-figures.ts';
import { readyStepsOf } from '../../../src/bench/ready-steps.ts';
import { medianInterval, type SourceCost } from '../../../src/bench/source-cost.ts';
import { armRun, experimentOf } from '../lab/experiments.ts';

const runs = [
  armRun('cold', { before: 2_000, after: 1_500 }),
  armRun('warm', { before: 2_000, after: 20_000 }),
  armRun('forewarm', { before: 2_000, after: 18_000, readyMs: 123 }),
];
const settings = benchSettings({ device: 'gp3', quick: true, seed: 1, repetitions: 3 });

function goals(between: readonly [number, number], onTps = 995) {
  const sourceCost: SourceCost = {
    pairs: [{ onTps, offTps: 1_000, onP99Ms: 1, offP99Ms: 1, stolenShare: 0 }],
    ...{ setAside: [], cost: 1 - onTps / 1_000, between },
    cpuCores: { agent: 0.01, sessions: 0.01 },
    processors: 2,
  };
  const all = goalsOf({ settings, experiment: experimentOf(runs), sourceCost });
  return new Map(all.map((goal) => [goal.figure, goal]));
}

describe('goals', () => {
  test('hold each figure against its limit', () => {
    const found = goals([0.001, 0.009]);
    expect(found.get('intent to ready ÷ floor')).toMatchObject({ median: 1.5, limit: '≤ 1.40', met: 'no' });
    const throughput = found.get('first second: throughput ÷ always warm');
    expect(throughput).toMatchObject({ median: 0.9, met: 'no' });
    expect(found.get('first second: p99 ÷ always warm')).toMatchObject({ median: 1, met: 'yes' });
    expect(found.get("another VM's blocks read")).toMatchObject({ median: 0, met: 'yes' });
    expect(showSpread(throughput!)).toBe('0.90 (0.90 to 0.90)');
  });

  test('a move beside always-warm ones is held against their median', () => {
    const moves = [
      [10_000, 16_000],
      [20_000, 19_000],
      [40_000, 21_000],
    ] as const;
    const all = moves.flatMap(([warm, forewarm]) => [
      armRun('cold', { before: 2_000, after: 1_500 }),
      armRun('warm', { before: 2_000, after: warm }),
      armRun('forewarm', { before: 2_000, after: forewarm, readyMs: 123 }),
    ]);
    const found = goalsOf({ settings, experiment: experimentOf(all) });
    const throughput = found.find(({ figure }) => figure.startsWith('first second: throughput'));
    expect(showSpread(throughput!)).toBe('0.95 (0.53 to 1.60)');
    // Moves of one arm differ by more than the limit leaves open.
    expect(throughput).toMatchObject({ met: 'unclear' });
    const [low, high] = throughput!.between!;
    expect(low).toBeLessThan(0.95);
    expect(high).toBeGreaterThan(0.95);
  });

  test('a cost that noise hides is called neither met nor missed', () => {
    const name = "cost to the source's throughput";
    expect(goals([0.001, 0.009]).get(name)?.met).toBe('yes');
    expect(goals([-0.02, 0.04]).get(name)?.met).toBe('unclear');
    expect(goals([0.02, 0.04], 970).get(name)?.met).toBe('no');
    const taken = goals([-0.02, 0.04]).get("the source's processors, taken by agent and sessions");
    expect(taken).toMatchObject({ median: 0.01, met: 'yes', unit: 'percent' });
  });
});

test('the way to ready is divided without a rest', () => {
  const [steps] = readyStepsOf(runs);
  expect(steps).toMatchObject({ acceptedMs: 10, plannedMs: 190, readingMs: 700, bytesPlanned: 10_500_000 });
});

test("a median's interval is taken from the order of the values", () => {
  const values = Array.from({ length: 40 }, (_, i) => 39 - i);
  const [low, high] = medianInterval(values);
  expect(low).toBeGreaterThanOrEqual(11);
  expect(low).toBeLessThan(19.5);
  expect(high).toBeLessThanOrEqual(28);
  expect(high).toBeGreaterThan(19.5);
  expect(medianInterval([3])).toEqual([3, 3]);
});
