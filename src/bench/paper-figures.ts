import { median } from '../lab/experiment/run-experiment.ts';
import type { PaperBench, PaperCase, PaperRun, Pattern, Point } from './paper.ts';
import type { Figure } from './suite.ts';

/** The paper's own throughput of a VM, and of the disk where it tells it, in MB/s. */
export const paperOwn: Readonly<
  Record<PaperCase['vmCount'], Readonly<Record<Exclude<Pattern, 'd'>, string>>>
> = {
  1: {
    a: 'about 100 MB/s a VM before and after, all of it from the disk',
    b: 'about 120 MB/s before and after, nothing from the disk',
    c: 'about 120 MB/s before, about 100 MB/s after, all of it from the disk',
  },
  6: {
    a: 'about 10 MB/s a VM before and after, the disk at some 50 MB/s',
    b: 'about 80 MB/s a VM before and after, nothing from the disk',
    c: 'about 80 MB/s a VM before, and far less after',
  },
};

/** Behind the switch: what is felt at once. */
export const firstMs = 2_000;
/** Connections and plans are new at the begin of a load. */
const settlingMs = 1_000;

/** Means in bytes a second. */
export interface PaperMeans {
  readonly readBefore: number;
  readonly readFirst: number;
  readonly readAfter: number;
  /** Undefined where they are not counted. */
  readonly diskBefore: number | undefined;
  readonly diskAfter: number | undefined;
}

/** Of points that begin within the stretch, in bytes a second; undefined where there are none. */
export function meanRate(
  points: readonly Point[],
  within: { readonly fromMs: number; readonly toMs: number },
): number | undefined {
  const inside = points.filter(({ atMs }) => atMs >= within.fromMs && atMs < within.toMs);
  const ms = inside.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return ms === 0 ? undefined : (inside.reduce((sum, { bytes }) => sum + bytes, 0) * 1_000) / ms;
}

/** A VM's mean throughput and the disks', before the migration and after it. */
export function meansOf(run: PaperRun, { beforeMs, afterMs }: PaperBench['settings']): PaperMeans {
  const [, switchedMs] = run.switchedMs;
  // With Forewarm the load runs longer before: as long as the intents took.
  const before = { fromMs: settlingMs - beforeMs, toMs: 0 };
  const after = { fromMs: switchedMs, toMs: switchedMs + afterMs };
  const read = (within: { fromMs: number; toMs: number }) =>
    mean(run.read.map(({ points }) => meanRate(points, within) ?? 0));
  return {
    readBefore: read(before),
    readFirst: read({ fromMs: switchedMs, toMs: switchedMs + firstMs }),
    readAfter: read(after),
    diskBefore: meanRate(run.disks.source, before),
    diskAfter: meanRate(run.disks.target, after),
  };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

export interface PaperRow extends PaperCase {
  readonly pattern: Pattern;
  readonly means: readonly PaperMeans[];
}

/** Each case and pattern with its repetitions. */
export function paperRows({ runs, settings }: PaperBench): readonly PaperRow[] {
  return settings.cases.flatMap((one) =>
    settings.patterns.map((pattern) => ({
      ...one,
      pattern,
      means: runs
        .filter((run) => run.load === one.load && run.vmCount === one.vmCount && run.pattern === pattern)
        .map((run) => meansOf(run, settings)),
    })),
  );
}

export function middleOf(row: PaperRow, of: keyof PaperMeans): number | undefined {
  const known = row.means.map((means) => means[of]).filter((value) => value !== undefined);
  return known.length === 0 ? undefined : median(known);
}

export function paperFigures(bench: PaperBench): readonly Figure[] {
  const named = {
    readBefore: { name: "a VM's throughput before", better: 'more' },
    readFirst: { name: `a VM's throughput in the first ${firstMs / 1_000} s after`, better: 'more' },
    readAfter: { name: "a VM's throughput after", better: 'more' },
    diskAfter: { name: "target's disk after", better: 'less' },
  } as const;
  return paperRows(bench).flatMap((row) =>
    (Object.keys(named) as (keyof typeof named)[]).map(
      (key): Figure => ({
        of: `${row.load}, ${row.vmCount} VM, (${row.pattern})`,
        ...named[key],
        unit: 'per second',
        values: row.means.map((means) => means[key]).filter((value) => value !== undefined),
      }),
    ),
  );
}
