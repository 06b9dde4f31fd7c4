import type { ArmName, ArmRun } from '../lab/experiment/result.ts';
import { floorMsOf, median } from '../lab/experiment/run-experiment.ts';
import type { PostgresBench } from './postgres.ts';

/** A figure to reach: its median and spread over the repetitions, and whether it was met. */
export interface Goal {
  readonly figure: string;
  readonly limit: string;
  readonly values: readonly number[];
  readonly median: number;
  /** `unclear`: the machine was too restless to tell. */
  readonly met: 'yes' | 'no' | 'unclear';
  /** How a value is shown. */
  readonly unit: 'ratio' | 'percent' | 'blocks';
}

const readyLimits = { gp3: 1.4, hdd: 1.7, none: Number.POSITIVE_INFINITY } as const;

/** The project's figures to reach, held against one run of the benchmark. */
export function goalsOf({ experiment, settings, sourceCost }: PostgresBench): readonly Goal[] {
  const forewarm = armOf(experiment.runs, 'forewarm');
  const warm = armOf(experiment.runs, 'warm');
  const readyLimit = readyLimits[settings.device];
  const paired = (of: (run: ArmRun) => number) =>
    forewarm.map((run, i) => of(run) / (warm[i] === undefined ? Number.NaN : of(warm[i])));
  const goals: Goal[] = [
    goal('first second: throughput ÷ always warm', {
      limit: [0.95, Number.POSITIVE_INFINITY],
      values: paired(({ figures }) => figures.first1s.tps),
    }),
    goal('first second: p99 ÷ always warm', {
      limit: [0, 1.5],
      values: paired(({ figures }) => figures.first1s.p99Ms),
    }),
    goal('read within 10 s after the switch ÷ work set', {
      ...{ limit: [0, 0.05], unit: 'percent' },
      values: forewarm.map((run) => run.figures.readAfterBytes / (run.migration?.record.workSet?.bytes ?? 1)),
    }),
    goal("another VM's blocks read", {
      ...{ limit: [0, 0], unit: 'blocks' },
      values: forewarm.map(({ migration }) => {
        const { read = 0, resident = 0 } = migration?.strangerBlocks ?? {};
        return Math.max(read, resident);
      }),
    }),
    goal("cost to the source's throughput", {
      ...{ limit: [Number.NEGATIVE_INFINITY, 0.01], unit: 'percent' },
      values: sourceCost.pairs.map(({ onTps, offTps }) => 1 - onTps / offTps),
      between: sourceCost.between,
    }),
  ];
  // The limits are for the limited disks.
  if (!Number.isFinite(readyLimit) || !experiment.device.throttled) return goals;
  const ready = goal('intent to ready ÷ floor', {
    limit: [0, readyLimit],
    values: forewarm.map((run) => run.figures.readyMs / floorMsOf(experiment.document.device, run.migration)),
  });
  return [ready, ...goals];
}

export function armOf(runs: readonly ArmRun[], name: ArmName): readonly ArmRun[] {
  return runs.filter(({ figures }) => figures.name === name);
}

function goal(
  figure: string,
  by: {
    readonly limit: readonly [number, number];
    readonly values: readonly number[];
    readonly unit?: Goal['unit'];
    /** Between what the median lies for certain, where that is known. */
    readonly between?: readonly [number, number];
  },
): Goal {
  const { limit, values, unit = 'ratio' } = by;
  const [least, most] = limit;
  const middle = median(values);
  const bound = Number.isFinite(most) ? `≤ ${showValue(most, unit)}` : `≥ ${showValue(least, unit)}`;
  const inside = (value: number) => value >= least && value <= most;
  const [low, high] = by.between ?? [middle, middle];
  const met = inside(low) !== inside(high) ? 'unclear' : inside(middle) ? 'yes' : 'no';
  return { figure, limit: bound, values, median: middle, met, unit };
}

export function showValue(value: number, unit: Goal['unit']): string {
  if (unit === 'blocks') return String(Math.round(value));
  return unit === 'percent' ? `${(value * 100).toFixed(1)} %` : value.toFixed(2);
}

/** Median, then the least and the greatest of the repetitions. */
export function showSpread({ values, median: middle, unit }: Goal): string {
  const range = `${showValue(Math.min(...values), unit)} to ${showValue(Math.max(...values), unit)}`;
  return `${showValue(middle, unit)} (${range})`;
}

/** Where the time between intent and ready went in one run, in ms. */
export interface ReadySteps {
  readonly acceptedMs: number;
  /** The source's burst of samples and its work set, its transfer, and the first look at the target. */
  readonly plannedMs: number;
  readonly readingMs: number;
  /** What is left: heat, the second look, the replay lag. */
  readonly restMs: number;
  readonly throttledMs: number;
  readonly bytesWanted: number;
  /** By the agent's plan, bridged gaps included. */
  readonly bytesPlanned: number;
  /** By the kernel's counters, read-ahead included. */
  readonly bytesRead: number;
  readonly operations: number | undefined;
}

export function readyStepsOf(runs: readonly ArmRun[]): readonly ReadySteps[] {
  return armOf(runs, 'forewarm').flatMap(({ figures, migration }) => {
    if (migration === undefined) return [];
    const { record, operationsRead } = migration;
    const published = Date.parse(record.issuedAt);
    const at = (time: string | undefined) => (time === undefined ? 0 : Date.parse(time) - published);
    const readingMs = record.warmed?.ms ?? 0;
    return [
      {
        acceptedMs: at(record.acceptedAt),
        plannedMs: at(record.warmingAt) - at(record.acceptedAt),
        readingMs,
        restMs: figures.readyMs - at(record.warmingAt) - readingMs,
        throttledMs: Object.values(record.warmed?.throttledMs ?? {}).reduce((sum, ms) => sum + ms, 0),
        bytesWanted: (record.warmed?.blocks ?? 0) * 8192,
        bytesPlanned: record.warmed?.bytesRead ?? 0,
        bytesRead: figures.bytesRead,
        operations: operationsRead,
      },
    ];
  });
}
