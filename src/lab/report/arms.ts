import type { ArmFigures, ArmName, ArmRun } from '../experiment/result.ts';
import { formatCount, formatLatency, formatMegabytes, formatSeconds } from './format.ts';

/** How each arm is called and drawn, in the order of the legend. */
export const armLooks: Readonly<
  Record<ArmName, { readonly title: string; readonly color: string; readonly explained: string }>
> = {
  cold: {
    title: 'without Forewarm',
    color: '#3b6fd4',
    explained: 'the new replica is cold: the reads go to its disk',
  },
  forewarm: {
    title: 'with Forewarm',
    color: '#e2571e',
    explained: 'the new replica was warmed ahead of the move',
  },
  warm: {
    title: 'always warm',
    color: '#8b919c',
    explained: 'control: the new replica had served app1 all along',
  },
};

export interface FigureColumn {
  readonly title: string;
  readonly value: (figures: ArmFigures) => string;
}

/** The table of results, as it is printed and as it stands in reports. */
export const figureColumns: readonly FigureColumn[] = [
  { title: 'arm', value: ({ name }) => armLooks[name].title },
  { title: 'ready after', value: (f) => (f.name === 'forewarm' ? formatSeconds(f.readyMs) : '–') },
  { title: 'floor', value: (f) => (f.name === 'forewarm' ? formatSeconds(f.floorMs) : '–') },
  { title: 'read to warm', value: (f) => (f.name === 'forewarm' ? formatMegabytes(f.bytesRead) : '–') },
  { title: 'first 1 s: reads/s', value: ({ first1s }) => formatCount(first1s.tps) },
  { title: 'p99', value: ({ first1s }) => formatLatency(first1s.p99Ms) },
  { title: 'first 10 s: reads/s', value: ({ first10s }) => formatCount(first10s.tps) },
  { title: 'p99', value: ({ first10s }) => formatLatency(first10s.p99Ms) },
  { title: 'read after the switch', value: ({ readAfterBytes }) => formatMegabytes(readAfterBytes) },
  { title: 'failed', value: ({ failedQueries }) => formatCount(failedQueries) },
];

/** Points at the middle of equal bins around the switch; null where an arm has no sample. */
export interface Timeline {
  /** Seconds from the switch. */
  readonly atS: readonly number[];
  readonly tps: Readonly<Partial<Record<ArmName, readonly (number | null)[]>>>;
  readonly p99Ms: Readonly<Partial<Record<ArmName, readonly (number | null)[]>>>;
}

/** The arms' samples in bins; of several repetitions, the last. */
export function timelineOf(
  runs: readonly (Pick<ArmRun, 'samples'> & { readonly figures: Pick<ArmRun['figures'], 'name'> })[],
  by: { readonly fromS: number; readonly toS: number; readonly binS: number },
): Timeline {
  const binCount = Math.round((by.toS - by.fromS) / by.binS);
  const binOf = (atMs: number) => Math.floor((atMs / 1000 - by.fromS) / by.binS);
  const last = new Map(runs.map((run) => [run.figures.name, run]));
  const bins = [...last].map(([name, { samples }]) => {
    const sums = Array.from({ length: binCount }, () => ({ transactions: 0, ms: 0, p99Ms: 0 }));
    for (const { atMs, durationMs, transactions, p99Ms } of samples) {
      const bin = sums[binOf(atMs + durationMs / 2)];
      if (bin === undefined) continue;
      bin.transactions += transactions;
      bin.ms += durationMs;
      bin.p99Ms = Math.max(bin.p99Ms, p99Ms);
    }
    return { name, sums };
  });
  const seriesOf = <T>(pick: (sum: { transactions: number; ms: number; p99Ms: number }) => T) =>
    Object.fromEntries(
      bins.map(({ name, sums }) => [name, sums.map((sum) => (sum.ms === 0 ? null : pick(sum)))]),
    );
  return {
    atS: Array.from(
      { length: binCount },
      (_, i) => Math.round((by.fromS + (i + 0.5) * by.binS) * 1000) / 1000,
    ),
    tps: seriesOf(({ transactions, ms }) => Math.round((transactions * 1000) / ms)),
    p99Ms: seriesOf(({ p99Ms }) => Math.round(p99Ms * 100) / 100),
  };
}
