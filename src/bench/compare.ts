import { seededRandom } from '../lab/load-pattern.ts';
import { ForewarmError } from '../lib/errors.ts';
import { ratioInterval } from './bootstrap.ts';
import { quantile } from './quantile.ts';
import type { ComparableResults } from './read-results.ts';
import type { Figure } from './suite.ts';

export interface ComparedFigure extends Pick<Figure, 'of' | 'name' | 'unit' | 'better'> {
  readonly old: number;
  readonly new: number;
  /** New by old; NaN where the old one is 0. */
  readonly ratio: number;
  /** Between what the ratio lies with 95 % certainty, by resampling; null where there is one value on either side. */
  readonly between: readonly [number, number] | null;
  readonly samples: readonly [old: number, new: number];
  /** `unclear`: the interval holds 1, or there is none and the values differ. */
  readonly verdict: 'better' | 'worse' | 'same' | 'unclear';
}

/**
 * Each figure of two runs of one suite, new by old, with the 95 % interval of a seeded bootstrap. Throws
 * `config_invalid` where the runs cannot be compared: another suite, other settings, or samples missing.
 */
export function compareResults(
  old: ComparableResults,
  fresh: ComparableResults,
  options: { readonly seed?: number; readonly resamples?: number } = {},
): readonly ComparedFigure[] {
  const { seed = 1, resamples = 2_000 } = options;
  const faults = [...settingFaults(old, fresh), ...sampleFaults(old, fresh)];
  if (faults.length > 0) {
    throw invalid(`these two cannot be compared: ${faults.join('; ')}`, {
      hint: 'Run both with the same options, on the same machine.',
    });
  }
  const random = seededRandom(seed);
  const before = new Map(old.figures.map((figure) => [keyOf(figure), figure]));
  return fresh.figures.map((figure) => {
    const values = [valuesOf(before.get(keyOf(figure))!), valuesOf(figure)] as const;
    return compareFigure(figure, values, { random, resamples });
  });
}

function compareFigure(
  { of, name, unit, better, statistic = 'median' }: ComparableResults['figures'][number],
  [old, fresh]: readonly [readonly number[], readonly number[]],
  { random, resamples }: { readonly random: () => number; readonly resamples: number },
): ComparedFigure {
  const middle = (values: readonly number[]) => quantile(values, statistic === 'p99' ? 0.99 : 0.5);
  const [was, is] = [middle(old), middle(fresh)];
  const ratio = was === 0 ? (is === 0 ? 1 : Number.NaN) : is / was;
  const between = was === 0 ? null : ratioInterval([fresh, old], { statistic: middle, random, resamples });
  return {
    ...{ of, name, unit, better, old: was, new: is, ratio, between },
    samples: [old.length, fresh.length],
    verdict: verdictOf(better, [was, is], between),
  };
}

function verdictOf(
  better: Figure['better'],
  [was, is]: readonly [number, number],
  between: readonly [number, number] | null,
): ComparedFigure['verdict'] {
  if (was === is) return 'same';
  if (between === null || (between[0] <= 1 && between[1] >= 1)) return 'unclear';
  return is < was === (better === 'less') ? 'better' : 'worse';
}

function settingFaults(old: ComparableResults, fresh: ComparableResults): string[] {
  if (old.suite !== fresh.suite) return [`suite ${old.suite} and suite ${fresh.suite}`];
  // More repetitions narrow the interval and change nothing else.
  const comparable = ({ options, settings }: ComparableResults) => {
    const { repetitions: _, ...rest } = options;
    const { repetitions: __, ...set } = (settings ?? {}) as Record<string, unknown>;
    return { options: rest, settings: set };
  };
  return differences(comparable(old), comparable(fresh), '');
}

/** Paths at which two values of JSON differ, with both. */
function differences(old: unknown, fresh: unknown, path: string): string[] {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isObject(old) && isObject(fresh)) {
    const keys = [...new Set([...Object.keys(old), ...Object.keys(fresh)])];
    return keys.flatMap((key) => differences(old[key], fresh[key], path === '' ? key : `${path}.${key}`));
  }
  const [was, is] = [JSON.stringify(old) ?? 'missing', JSON.stringify(fresh) ?? 'missing'];
  return was === is ? [] : [`${path} is ${was} in the old one and ${is} in the new one`];
}

function sampleFaults(old: ComparableResults, fresh: ComparableResults): string[] {
  const sides = [
    ['old', old, fresh],
    ['new', fresh, old],
  ] as const;
  return sides.flatMap(([side, own, other]) => {
    const keys = new Set(own.figures.map(keyOf));
    const missing = other.figures.filter((figure) => !keys.has(keyOf(figure))).map(keyOf);
    const empty = own.figures.filter((figure) => valuesOf(figure).length === 0).map(keyOf);
    return [
      ...missing.map((key) => `the ${side} one has no figure "${key}"`),
      ...empty.map((key) => `the ${side} one has no sample of "${key}"`),
    ];
  });
}

function keyOf({ of, name }: ComparableResults['figures'][number]): string {
  return of === '' ? name : `${of}: ${name}`;
}

function valuesOf({ values }: ComparableResults['figures'][number]): readonly number[] {
  return values.filter((value) => value !== null);
}

function invalid(
  message: string,
  options: { readonly hint?: string; readonly cause?: unknown },
): ForewarmError {
  return new ForewarmError('config_invalid', message, options);
}
