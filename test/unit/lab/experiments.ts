import type { HeatScale, PoolMap } from '../../../src/lab/experiment/pool-map.ts';
import type { ArmName, ArmRun } from '../../../src/lab/experiment/result.ts';
import { type Experiment, medianFigures } from '../../../src/lab/experiment/run-experiment.ts';
import type { MigrationRecord } from '../../../src/messages/record.ts';

/** A run whose throughput is `before` until the switch and `after` from then on, in samples of 100 ms. */
export function armRun(name: ArmName, by: { before: number; after: number; readyMs?: number }): ArmRun {
  const samples = Array.from({ length: 130 }, (_, i) => {
    const atMs = (i - 30) * 100;
    const tps = atMs < 0 ? by.before : by.after;
    return {
      atMs,
      durationMs: 100,
      transactions: tps / 10,
      failed: 0,
      p50Ms: 1,
      p95Ms: 1.5,
      p99Ms: 2,
      maxMs: 3,
    };
  });
  const stretch = { tps: by.after, p99Ms: 2 };
  const readyMs = by.readyMs ?? 0;
  return {
    figures: {
      ...{ name, readyMs, bytesRead: name === 'forewarm' ? 11e6 : 0 },
      ...{ first1s: stretch, first10s: stretch, readAfterBytes: 0, failedQueries: 0 },
    },
    samples,
    marks: name === 'forewarm' ? [{ name: 'intent', atMs: -2_000 }] : [],
    osResidentBytes: undefined,
    switchMs: 20,
    ...(name === 'forewarm'
      ? {
          migration: {
            record,
            maps: { source: poolMap([1, 5]), before: poolMap([]), after: poolMap([1, 1]) },
            operationsRead: 12,
            strangerBlocks: { read: 0, resident: 0 },
          },
        }
      : {}),
  };
}

const record: MigrationRecord = {
  ...{ v: 1, id: 'app1-1', vm: 'app1', source: 'db1', target: 'db2', state: 'completed' },
  deadline: '2026-01-01T00:01:00.000Z',
  issuedAt: '2026-01-01T00:00:00.000Z',
  acceptedAt: '2026-01-01T00:00:00.010Z',
  warmingAt: '2026-01-01T00:00:00.200Z',
  readyAt: '2026-01-01T00:00:01.000Z',
  workSet: { relations: 1, blocks: 1_250, bytes: 10_240_000 },
  plan: { blocks: 1_250, bytes: 10_240_000, skippedBlocks: 0 },
  warmed: { blocks: 1_250, bytesRead: 10_500_000, ms: 700, rounds: 1 },
};

/** A scale of five. */
const heat: HeatScale = {
  names: ['a', 'b', 'c', 'd', 'hottest'],
  ranks: 'all heats',
  explained: 'The darker, the hotter.',
};

/** One table whose first blocks are resident with these heats. */
export function poolMap(heats: readonly number[]): PoolMap {
  const blocksByHeat = [0, 0, 0, 0, 0, 0];
  for (const heat of heats) blocksByHeat[heat]! += 1;
  const strip = Array.from({ length: 240 }, (_, i) => heats[i] ?? 0);
  return [
    {
      ...{ name: 'app1_<data>', kind: 'table', sizeBlocks: 240, residentBlocks: heats.length },
      ...{ blocksByHeat, strip, heats: new Map(heats.map((heat, block) => [block, heat])) },
    },
  ];
}

export function experimentOf(runs: readonly ArmRun[]): Experiment {
  const names: readonly ArmName[] = ['cold', 'forewarm', 'warm'];
  return {
    document: {
      device: { profile: 'gp3', throttled: true },
      workSet: { blocks: 1_250, bytes: 10_240_000 },
      arms: names.map((name) =>
        medianFigures(
          runs.filter(({ figures }) => figures.name === name),
          82,
        ),
      ),
    },
    ...{ runs, setAside: [] },
    device: { throttled: true, id: '254:0' },
    database: { title: 'PostgreSQL', version: '18.4', heat },
  };
}
