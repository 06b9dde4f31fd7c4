import type { LoadSample } from '../../lab/app-messages.ts';
import { median } from '../../lab/experiment/run-experiment.ts';
import type { Figure } from '../suite.ts';
import { timeToShareMs } from '../worth.ts';
import { control } from './common-ways.ts';
import type { RivalRun, RivalsBench } from './rivals.ts';
import type { Way } from './way.ts';
import { waysOf } from './ways.ts';

/** Part of the control's throughput at which a VM counts as recovered. */
export const recoveredShare = 0.95;

/** One way over its repetitions. */
export interface WaySummary {
  readonly way: Way;
  /** Those that may be compared: the control did not drift around them. */
  readonly runs: readonly RivalRun[];
  /** Those that may not. */
  readonly refused: number;
}

/** In the order of the listing, the control at the end; what could not be done here is left out. */
export function summarize({ runs, settings }: Pick<RivalsBench, 'runs' | 'settings'>): readonly WaySummary[] {
  return [...waysOf(settings.engine), control].flatMap((way) => {
    const own = runs.filter((run) => run.way === way.name);
    const comparable = own.filter(({ drift }) => drift.comparable);
    return own.length === 0 ? [] : [{ way, runs: comparable, refused: own.length - comparable.length }];
  });
}

/** Transactions a second. */
export function tpsOf({ transactions, durationMs }: LoadSample): number {
  return (transactions * 1_000) / durationMs;
}

/** The control of a repetition, by which its runs are told. */
export function controlOf(bench: Pick<RivalsBench, 'runs'>, { repetition }: RivalRun): RivalRun | undefined {
  return bench.runs.find((run) => run.way === control.name && run.repetition === repetition);
}

/** Undefined where the VM has not recovered within the last window. */
export function recoveryMs(bench: Pick<RivalsBench, 'runs'>, run: RivalRun): number | undefined {
  const whole = controlOf(bench, run)?.stretches.at(-1);
  if (whole === undefined) return undefined;
  return timeToShareMs(run.samples, { controlTps: tpsOf(whole), share: recoveredShare });
}

/** A window's throughput as a part of the control's in the same repetition. */
export function shareOfControl(bench: Pick<RivalsBench, 'runs'>, run: RivalRun, window: number): number {
  const [own, best] = [run.stretches[window], controlOf(bench, run)?.stretches[window]];
  return own === undefined || best === undefined ? Number.NaN : tpsOf(own) / tpsOf(best);
}

/** Median of what is known; undefined where nothing is. */
export function middle(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 || known.length < values.length / 2 ? undefined : median(known);
}

type Quantity = Pick<Figure, 'name' | 'unit' | 'better'> & {
  readonly of: (run: RivalRun) => number | undefined;
};

/** Every figure of every way, a value for each repetition that may be compared. */
export function rivalFigures(bench: RivalsBench): readonly Figure[] {
  const windows = bench.settings.windowsMs.flatMap((ms, i): Quantity[] => {
    const name = `first ${ms / 1_000} s`;
    const quantile = (key: 'p50Ms' | 'p95Ms' | 'p99Ms'): Quantity => ({
      ...{ name: `${name}: ${key.slice(0, -2)}`, unit: 'ms', better: 'less' },
      of: ({ stretches }) => stretches[i]?.[key],
    });
    return [
      {
        ...{ name: `${name}: throughput`, unit: 'per second', better: 'more' },
        of: ({ stretches }) => (stretches[i] === undefined ? undefined : tpsOf(stretches[i])),
      },
      ...[quantile('p50Ms'), quantile('p95Ms'), quantile('p99Ms')],
    ];
  });
  const quantities: readonly Quantity[] = [
    { name: 'time to ready', unit: 'ms', better: 'less', of: ({ readyMs }) => readyMs },
    { name: 'read to warm', unit: 'bytes', better: 'less', of: ({ bytesRead }) => bytesRead },
    {
      name: 'operations to warm',
      unit: 'operations',
      better: 'less',
      of: ({ operationsRead }) => operationsRead,
    },
    { name: 'precision', unit: 'share', better: 'more', of: ({ worth }) => worth.precision },
    { name: 'recall', unit: 'share', better: 'more', of: ({ worth }) => worth.recall },
    ...windows,
    { name: 'read after the switch', unit: 'bytes', better: 'less', of: (run) => run.readAfterBytes },
    {
      name: `time to ${recoveredShare * 100} % of the control`,
      unit: 'ms',
      better: 'less',
      of: (run) => recoveryMs(bench, run),
    },
  ];
  return summarize(bench).flatMap(({ way, runs }) =>
    quantities.flatMap(({ of, ...quantity }): Figure[] => {
      const values = runs.map(of).filter((value) => value !== undefined);
      return values.length === 0 ? [] : [{ of: way.name, ...quantity, values }];
    }),
  );
}
