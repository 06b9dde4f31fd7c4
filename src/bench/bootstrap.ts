import { median } from '../lab/experiment/run-experiment.ts';
import { seededRandom } from '../lab/load-pattern.ts';
import { quantile } from './quantile.ts';

export interface Bootstrap {
  /** Default: the median. */
  readonly statistic?: (values: readonly number[]) => number;
  /** 0 to 1; seeded, so that the same values have the same interval. */
  readonly random?: () => number;
  readonly resamples?: number;
}

/**
 * Between what the ratio of two samples' statistics lies with 95 % certainty, by resampling both. Null where either
 * has one value, and where a resample has no ratio.
 */
export function ratioInterval(
  [above, below]: readonly [readonly number[], readonly number[]],
  { statistic = median, random = seededRandom(1), resamples = 2_000 }: Bootstrap = {},
): readonly [number, number] | null {
  if (above.length < 2 || below.length < 2) return null;
  const resample = (values: readonly number[]) =>
    statistic(values.map(() => values[Math.floor(random() * values.length)]!));
  const ratios = Array.from({ length: resamples }, () => resample(above) / resample(below));
  if (ratios.some((ratio) => !Number.isFinite(ratio))) return null;
  return [quantile(ratios, 0.025), quantile(ratios, 0.975)];
}
