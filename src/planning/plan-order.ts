import { type BlockRanges, blockCount, maxHeat } from './block-ranges.ts';
import { readMs } from './gaps.ts';
import type { PlanInput, Segment, TargetRelation } from './plan.ts';
import { byShare, type Demand } from './plan-allot.ts';
import { heatBand } from './range-cuts.ts';
import { dearestParted, partSparse } from './sparse-last.ts';

export interface OrderedSegments<R> {
  readonly pool: readonly Segment<R>[];
  readonly os: readonly Segment<R>[];
  readonly poolMs: number;
  readonly osMs: number;
  readonly reason: string;
}

/** Of what the goal does not need, that part may come last: the source's heat moves on meanwhile. */
const laterShare = 0.8;

/** Time kept free before a deadline for measuring and for the passes that set heat. */
const deadlineReserve = 0.1;

/**
 * Puts the planned blocks in order. Where all fits the deadline it is one class in block order, which
 * takes the fewest operations, but that the sparsest of what the goal does not need comes last of all; else
 * the lowest class boundary is found above which everything fits, that goes first as one class, and what is
 * colder follows class by class, so that a deadline cuts off the coldest. Catalogs come behind them: the VM is ready by its own blocks. Then relations known by name, and
 * within a class the greater share first.
 */
export function orderSegments<R extends TargetRelation>(
  demands: readonly Demand<R>[],
  input: Pick<PlanInput, 'model' | 'blockBytes' | 'deadlineMs' | 'goal'>,
): OrderedSegments<R> {
  const { model, blockBytes, deadlineMs, goal } = input;
  const exact = byShare(demands.filter((d) => d.verdict === 'blocks'));
  const own = exact.filter(({ wanted }) => wanted.catalog !== true);
  const catalogs = exact.filter(({ wanted }) => wanted.catalog === true);
  const byName = byShare(demands.filter((d) => d.verdict === 'relation'));
  const cost = (low: number, high: number, of: readonly Demand<R>[]) =>
    readMs(
      model,
      of.map((d) => d.pool),
      { blockBytes, low, high },
    );
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
  const pool: Segment<R>[] = [];
  const os: Segment<R>[] = [];
  let rank = 0;
  const put = (of: readonly Demand<R>[], tier: 'pool' | 'os', lists: readonly BlockRanges[]) => {
    const added = of.flatMap((d, at): Segment<R>[] => {
      const ranges = lists[at]!;
      if (ranges.starts.length === 0 || d.local === undefined) return [];
      return [{ relation: d.local, key: d.key, tier, ranges, blocks: blockCount(ranges), rank }];
    });
    (tier === 'pool' ? pool : os).push(...added);
    rank += 1;
  };
  const add = (of: readonly Demand<R>[], tier: 'pool' | 'os', from = 0, to = maxHeat) =>
    put(
      of,
      tier,
      of.map((d) => heatBand(d[tier], from, to)),
    );
  const wanted = demands.reduce((sum, d) => sum + d.residentBlocks + blockCount(d.pool), 0);
  const laterBlocks = Math.floor((1 - goal) * wanted * laterShare);
  const parted =
    low > 0 || wholeMs * dearestParted > time
      ? null
      : partSparse(
          own.map((d) => d.pool),
          { model, blockBytes, laterBlocks },
        );
  if (parted === null) add(own, 'pool', low);
  else {
    reason += ', the sparsest last';
    put(
      own,
      'pool',
      parted.map(({ first }) => first),
    );
  }
  for (let heat = low - 1; heat >= 1; heat--) add(own, 'pool', heat, heat);
  add(catalogs, 'pool');
  add(byName, 'pool');
  if (parted !== null)
    put(
      own,
      'pool',
      parted.map(({ later }) => later),
    );
  const poolMs = readRanksMs(pool, input);

  // Nothing is read into the OS cache in pieces.
  const osWholeMs = readMs(
    { ...model, pieceBlocks: undefined },
    demands.map((d) => d.os),
    { blockBytes },
  );
  if (poolMs + osWholeMs <= time) add(exact, 'os');
  else for (let heat = maxHeat; heat >= 0; heat--) add(exact, 'os', heat, heat);
  add(byName, 'os');
  return { pool, os, poolMs, osMs: readRanksMs(os, input), reason };
}

/** The segments of each rank, in their order. */
export function ranksOf<R>(segments: readonly Segment<R>[]): readonly (readonly Segment<R>[])[] {
  const ranks = new Map<number, Segment<R>[]>();
  for (const segment of segments) {
    const of = ranks.get(segment.rank);
    if (of === undefined) ranks.set(segment.rank, [segment]);
    else of.push(segment);
  }
  return [...ranks.values()];
}

function readRanksMs<R>(
  segments: readonly Segment<R>[],
  { model, blockBytes }: Pick<PlanInput, 'model' | 'blockBytes'>,
): number {
  const rangesOf = (of: readonly Segment<R>[]) => of.map(({ ranges }) => ranges);
  return ranksOf(segments).reduce((ms, of) => ms + readMs(model, rangesOf(of), { blockBytes }), 0);
}
