import { describe, expect, test } from 'vitest';
import type { Drift } from '../../../src/bench/drift.ts';
import { rivalsReport, rivalsText } from '../../../src/bench/rivals/report.ts';
import type { RivalRun, RivalsBench } from '../../../src/bench/rivals/rivals.ts';
import { rivalsSettings } from '../../../src/bench/rivals/settings.ts';
import { recoveryMs, rivalFigures, shareOfControl, summarize } from '../../../src/bench/rivals/summary.ts';
import { waysOf } from '../../../src/bench/rivals/ways.ts';
import { renderTable } from '../../../src/commands/terminal/table.ts';

const settings = rivalsSettings({
  ...{ engine: 'postgres', device: 'gp3', quick: true, seed: 1, repetitions: 2 },
});
const steady: Drift = { tps: 0.01, p50: 0.01, comparable: true };
const adrift: Drift = { tps: 0.5, p50: 0.01, comparable: false };

function run(
  way: string,
  by: { repetition: number; tps: number; readyMs?: number; drift?: Drift },
): RivalRun {
  const { repetition, tps, readyMs, drift = steady } = by;
  const stretch = (durationMs: number) => ({
    ...{ atMs: 0, durationMs, transactions: (tps * durationMs) / 1_000, failed: 0 },
    ...{ p50Ms: 1, p95Ms: 2, p99Ms: 3, maxMs: 4 },
  });
  const samples = Array.from({ length: 60 }, (_, i) => ({ ...stretch(100), atMs: (i - 20) * 100 }));
  return {
    ...{ way, repetition, readyMs, drift, samples, marks: [], failedQueries: 0, osResidentBytes: 0 },
    ...{ bytesRead: readyMs === undefined ? undefined : 1e8, operationsRead: undefined },
    worth: { warmedBlocks: 1, precision: 0.5, touchedBlocks: 1, recall: 0.9 },
    stretches: [stretch(1_000), stretch(4_000)],
    ...{ readAfterBytes: 2e6, stolenShare: 0.02 },
  };
}

const bench: RivalsBench = {
  ...{ settings, version: '18.4', device: { throttled: true }, workSetBytes: 1e8, floorMs: 800 },
  setAside: [run('cold', { repetition: 1, tps: 10 })],
  left: [{ way: 'pgfincore', why: 'there is <none>' }],
  runs: [
    run('warm', { repetition: 1, tps: 5_000 }),
    run('cold', { repetition: 1, tps: 1_000 }),
    run('forewarm-blocks', { repetition: 1, tps: 4_900, readyMs: 1_000 }),
    run('whole-table', { repetition: 1, tps: 4_000, readyMs: 3_000, drift: adrift }),
    run('warm', { repetition: 2, tps: 4_000 }),
    run('cold', { repetition: 2, tps: 2_000, drift: adrift }),
    run('forewarm-blocks', { repetition: 2, tps: 3_900, readyMs: 2_000 }),
  ],
};

describe('rivals', () => {
  test('runs whose control drifted are left out of the figures, and said so', () => {
    const byWay = new Map(summarize(bench).map((one) => [one.way.name, one]));
    expect(byWay.get('cold')).toMatchObject({ refused: 1 });
    expect(byWay.get('cold')?.runs.map(({ repetition }) => repetition)).toEqual([1]);
    expect(byWay.get('whole-table')).toMatchObject({ refused: 1, runs: [] });
    const figures = rivalFigures(bench);
    expect(figures.some(({ of }) => of === 'whole-table')).toBe(false);
    expect(
      figures.find(({ of, name }) => of === 'forewarm-blocks' && name === 'time to ready')?.values,
    ).toEqual([1_000, 2_000]);
    expect(rivalsText(bench, renderTable)).toContain('2 runs are not compared');
    expect(rivalsText(bench, renderTable)).toContain('pg_prewarm, whole (not compared)');
  });

  test('moves that were made again are said, and in no figure', () => {
    expect(rivalsText(bench, renderTable)).toContain('1 more moves, in which it was over 7 %');
    expect(
      rivalFigures(bench).find(({ of, name }) => of === 'cold' && name === 'first 1 s: throughput')?.values,
    ).toEqual([1_000]);
  });

  test('a run is held against the control of its own repetition', () => {
    const [, cold, forewarm] = bench.runs;
    const second = bench.runs.at(-1)!;
    expect(shareOfControl(bench, cold!, 0)).toBeCloseTo(0.2);
    expect(shareOfControl(bench, second, 1)).toBeCloseTo(3_900 / 4_000);
    expect(recoveryMs(bench, forewarm!)).toBe(0);
    expect(recoveryMs(bench, cold!)).toBeUndefined();
  });

  test('each product has its own rivals, one subject among them, and names of their own', () => {
    for (const engine of ['postgres', 'mariadb', 'mysql'] as const) {
      const ways = waysOf(engine);
      expect(ways.filter(({ subject }) => subject)).toHaveLength(1);
      expect(new Set(ways.map(({ name }) => name)).size).toBe(ways.length);
      expect(new Set(ways.map(({ color }) => color)).size).toBe(ways.length);
      // What is known of a way is found again by its name.
      const own = { ...settings, engine };
      const runs = ways.map(({ name }) => run(name, { repetition: 1, tps: 1 }));
      expect(summarize({ settings: own, runs }).map(({ way }) => way.name)).toEqual(
        ways.map(({ name }) => name),
      );
    }
    expect(waysOf('mysql').map(({ name }) => name)).toEqual(
      expect.arrayContaining(['dump-whole', 'dump-25', 'whole-table']),
    );
  });

  test('the report is one file with its chart, and names what was not done', () => {
    const html = rivalsReport(bench);
    expect(html).toContain('id="throughput"');
    expect(html).toContain('there is &#60;none&#62;');
    expect(html).not.toContain('src="http');
  });
});
