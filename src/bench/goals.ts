import type { ArmName, ArmRun } from '../lab/experiment/result.ts';
import { median } from '../lab/experiment/run-experiment.ts';
import { ratioInterval } from './bootstrap.ts';

/** A figure to reach: its median, or ratio of medians, and its spread over the repetitions, and whether it was met. */
export interface Goal {
  readonly figure: string;
  readonly limit: string;
  readonly values: readonly number[];
  readonly median: number;
  /** Between what it lies with 95 % certainty, where that is known. */
  readonly between?: readonly [number, number];
  /** `unclear`: the machine was too restless to tell. */
  readonly met: 'yes' | 'no' | 'unclear';
  /** How a value is shown. */
  readonly unit: 'ratio' | 'percent' | 'blocks';
}

export interface GoalOptions {
  /** Least and most, both included. */
  readonly limit: readonly [number, number];
  /** One a repetition. */
  readonly values: readonly number[];
  /** What is held against the limit where it is not the median of the values. */
  readonly middle?: number;
  readonly unit?: Goal['unit'];
  /** Between what it lies with 95 % certainty, where that is known. */
  readonly between?: readonly [number, number];
  /** It is met only where each repetition is inside of the limit. */
  readonly always?: boolean;
}

export function goal(figure: string, by: GoalOptions): Goal {
  const { limit, values, unit = 'ratio' } = by;
  const [least, most] = limit;
  const middle = by.middle ?? median(values);
  const bound = Number.isFinite(most) ? `≤ ${showValue(most, unit)}` : `≥ ${showValue(least, unit)}`;
  const inside = (value: number) => value >= least && value <= most;
  const [low, high] = by.between ?? [middle, middle];
  const reached = by.always === true ? values.every(inside) : inside(middle);
  const met = inside(low) !== inside(high) ? 'unclear' : reached ? 'yes' : 'no';
  const known = by.between === undefined ? {} : { between: by.between };
  return { figure, limit: bound, values, median: middle, met, unit, ...known };
}

/** Those that anything was measured of. */
export function measured(goals: readonly Goal[]): readonly Goal[] {
  return goals.filter(({ values }) => values.length > 0);
}

export function armOf(runs: readonly ArmRun[], name: ArmName): readonly ArmRun[] {
  return runs.filter(({ figures }) => figures.name === name);
}

/**
 * A figure of moves with Forewarm by that of always-warm moves: the ratio of the arms' medians, and that of each
 * repetition for the spread. Moves of one repetition are no more alike than others, so the median of these tells less.
 */
export function besideAlwaysWarm(
  runs: readonly ArmRun[],
  of: (run: ArmRun) => number,
): Pick<GoalOptions, 'values' | 'middle' | 'between'> {
  const forewarm = armOf(runs, 'forewarm').map(of);
  const warm = armOf(runs, 'warm').map(of);
  const between = ratioInterval([forewarm, warm]);
  return {
    values: forewarm.map((value, i) => value / (warm[i] ?? Number.NaN)),
    middle: warm.length === 0 ? Number.NaN : median(forewarm) / median(warm),
    ...(between === null ? {} : { between }),
  };
}

/** The interval, or that there is none. */
export function showCertainty({ between, unit }: Goal): string {
  return between === undefined ? '–' : between.map((value) => showValue(value, unit)).join(' to ');
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
