import { describe, expect, test } from 'vitest';
import { heldByHeat } from '../../../src/lab/experiment/pool-map.ts';
import { floorMsOf, median, medianFigures } from '../../../src/lab/experiment/run-experiment.ts';
import { timelineOf } from '../../../src/lab/report/arms.ts';
import { renderReport } from '../../../src/lab/report/html.ts';
import { renderPicture } from '../../../src/lab/report/picture.ts';
import { armRun, experimentOf, poolMap } from './experiments.ts';

const runs = [
  armRun('cold', { before: 5_000, after: 1_500 }),
  armRun('forewarm', { before: 5_000, after: 4_900, readyMs: 1_000 }),
  armRun('warm', { before: 5_000, after: 5_000 }),
];

describe('the timeline', () => {
  test('puts each sample into its bin, counted from the switch', () => {
    const { atS, tps, p99Ms } = timelineOf(runs, { fromS: -1, toS: 1, binS: 0.5 });
    expect(atS).toEqual([-0.75, -0.25, 0.25, 0.75]);
    expect(tps.cold).toEqual([5_000, 5_000, 1_500, 1_500]);
    expect(p99Ms.warm).toEqual([2, 2, 2, 2]);
  });

  test('has a gap where an arm was not measured', () => {
    const { tps } = timelineOf(runs, { fromS: -4, toS: -2, binS: 1 });
    expect(tps.forewarm).toEqual([null, 5_000]);
  });

  test('shows the last repetition of an arm', () => {
    const again = [...runs, armRun('cold', { before: 5_000, after: 2_000 })];
    expect(timelineOf(again, { fromS: 0, toS: 1, binS: 1 }).tps.cold).toEqual([2_000]);
  });
});

describe('figures', () => {
  test('are medians, but failures add up', () => {
    const repeated = [100, 300, 200].map((after) => {
      const run = armRun('cold', { before: 1, after });
      return { ...run, figures: { ...run.figures, failedQueries: 2 } };
    });
    expect(medianFigures(repeated, 82)).toMatchObject({
      ...{ name: 'cold', floorMs: 82, failedQueries: 6 },
      first1s: { tps: 200 },
    });
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test("the floor goes by the profile's bandwidth where the disk is held to it, else by the learned one", () => {
    const migration = runs[1]?.migration;
    expect(floorMsOf({ profile: 'gp3', throttled: true }, migration)).toBe(82);
    expect(floorMsOf({ profile: 'gp3', throttled: false }, migration)).toBe(0);
    const learned = { ...migration!.record, device: { operationMs: 0.1, bytesPerSecond: 1_024_000 } };
    expect(floorMsOf({ profile: 'gp3', throttled: false }, { ...migration!, record: learned })).toBe(10_000);
  });

  test('the floor counts the operations where a read brings one page', () => {
    const device = { profile: 'gp3', throttled: true } as const;
    const bytesPerSecond = 3_000 * 16_384;
    expect(floorMsOf(device, runs[1]?.migration, 16_384)).toBe(
      Math.round((10_240_000 / bytesPerSecond) * 1000),
    );
  });

  test("what a target holds is told by the source's heat, not its own", () => {
    const [source] = poolMap([5, 5, 1, 3]);
    const [target] = poolMap([1, 1, 1]);
    expect(heldByHeat(source!, target!)).toEqual([1, null, 0, null, 1]);
  });
});

describe('the report', () => {
  const html = renderReport(experimentOf(runs), { title: 'A & B', settings: { data: '<1 MB' } });

  test('needs no other file and no network', () => {
    expect(html).not.toMatch(/<(?:link|img|iframe)\b|\bsrc=|@import|url\(/);
    expect(html).toContain('new uPlot(');
    expect(html).toContain('.uplot');
  });

  test('shows every arm, the settings and the relations, as text', () => {
    for (const words of [
      'without Forewarm',
      'with Forewarm',
      'always warm',
      '1,500/s',
      'A &#38; B',
      '&#60;1 MB',
    ])
      expect(html).toContain(words);
    expect(html).toContain('app1_&#60;data&#62;');
    expect(html).not.toContain('NaN');
  });
});

test('the picture is one well-formed SVG with a line for each arm', () => {
  const svg = renderPicture(experimentOf(runs));
  expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"')).toBe(true);
  expect(svg.match(/<polyline /g)).toHaveLength(3);
  expect(svg).not.toMatch(/NaN|undefined/);
});
