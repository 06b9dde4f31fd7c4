import { type BlockRanges, blockCount, maxHeat } from './block-ranges.ts';
import { readMs } from './gaps.ts';
import type { PlanInput, Segment, TargetRelation } from './plan.ts';
import { byShare, type Demand } from './plan-allot.ts';
import { heatBand } from './range-cuts.ts';

export interface OrderedSegments<R> {
  readonly pool: readonly Segment<R>[];
  readonly os: readonly Segment<R>[];
  readonly poolMs: number;
  readonly reason: string;
}

/** Time kept free before a deadline for measuring and for the passes that set heat. */
const deadlineReserve = 0.1;

/**
 * Puts the planned blocks in order. Where all fits the deadline it is one class in block order, which
 * takes the fewest operations; else the lowest class boundary is found above which everything fits,
 * that goes first as one class, and what is colder follows class by class, so that a deadline cuts
 * off the coldest. Within a class: exact blocks before relations known by name, greater share first.
 */
export function orderSegments<R extends TargetRelation>(
  demands: readonly Demand<R>[],
  input: Pick<PlanInput, 'model' | 'blockBytes' | 'deadlineMs'>,
): OrderedSegments<R> {
  const { model, blockBytes, deadlineMs } = input;
  const exact = byShare(demands.filter((d) => d.verdict === 'blocks'));
  const byName = byShare(demands.filter((d) => d.verdict === 'relation'));
  const cost = (low: number, high: number, of: readonly Demand<R>[]) =>
    of.reduce((ms, d) => ms + readMs(model, d.pool, { blockBytes, low, high }), 0);
  const nameMs = cost(0, maxHeat, byName);
  const wholeMs = cost(0, maxHeat, exact) + nameMs;
  const time = deadlineMs === null ? Number.POSITIVE_INFINITY : deadlineMs * (1 - deadlineReserve);

  let low = 0;
  let reason = deadlineMs === null ? 'no deadline: by block' : 'all fits the deadline: by block';
  if (wholeMs > time) {
    low = maxHeat;
    while (low > 1 && cost(low - 1, maxHeat, exact) <= time) low -= 1;
    reason = `${Math.round(wholeMs)} ms to read, ${Math.round(deadlineMs!)} ms left: `;
    reason += low > 1 ? `heat ${low} and above first, then hottest first` : 'exact blocks first';
  }
  const segmentsOf = (of: readonly Demand<R>[], tier: 'pool' | 'os', cut: (r: BlockRanges) => BlockRanges) =>
    of.flatMap((d): Segment<R>[] => {
      const ranges = cut(d[tier]);
      if (ranges.starts.length === 0 || d.local === undefined) return [];
      return [{ relation: d.local, key: d.key, tier, ranges, blocks: blockCount(ranges) }];
    });
  const band = (from: number, to: number) => (r: BlockRanges) => heatBand(r, from, to);
  const pool = segmentsOf(exact, 'pool', band(low, maxHeat));
  for (let heat = low - 1; heat >= 1; heat--) pool.push(...segmentsOf(exact, 'pool', band(heat, heat)));
  pool.push(...segmentsOf(byName, 'pool', (r) => r));

  const os: Segment<R>[] = [];
  const osMs = demands.reduce((ms, d) => ms + readMs(model, d.os, { blockBytes }), 0);
  if (wholeMs + osMs <= time) os.push(...segmentsOf(exact, 'os', band(0, maxHeat)));
  else for (let heat = maxHeat; heat >= 0; heat--) os.push(...segmentsOf(exact, 'os', band(heat, heat)));
  os.push(...segmentsOf(byName, 'os', (r) => r));
  const poolMs = pool.reduce((ms, s) => ms + readMs(model, s.ranges, { blockBytes }), 0);
  return { pool, os, poolMs, reason };
}
