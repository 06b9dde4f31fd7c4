import { type BlockRanges, blockCount, blocksByHeat, maxHeat, subtract, union } from './block-ranges.ts';
import { atLeast, heatBand, splitAt, splitFromEnd } from './range-cuts.ts';
import type { WorkSetRelation } from './work-set.ts';

/** One relation's missing blocks, handed over from `toPool` and `toOs` to `pool` and `os` as room is found. */
export interface Demand<R> {
  readonly key: string;
  readonly wanted: WorkSetRelation;
  readonly verdict: 'blocks' | 'relation' | 'absent';
  readonly local: R | undefined;
  readonly reason: string | undefined;
  readonly residentBlocks: number;
  /** Wanted, but not on the target's disk. */
  readonly lostBlocks: number;
  /** Missing and without a place yet: of the source's pool, and of its OS cache alone. */
  toPool: BlockRanges;
  toOs: BlockRanges;
  /** Planned for the target's pool and OS cache; disjoint. */
  pool: BlockRanges;
  os: BlockRanges;
}

/**
 * Gives exact blocks their place in a tier: hottest first, within the class that fits in part the
 * relations of greater share, by block. The OS cache then takes what only the source's OS cache holds.
 * Returns what is left of the budget.
 */
export function allotBlocks<R>(
  demands: readonly Demand<R>[],
  tier: 'pool' | 'os',
  budgetBlocks: number,
): number {
  const totals = new Array<number>(maxHeat + 1).fill(0);
  for (const demand of demands) {
    blocksByHeat(demand.toPool).forEach((n, heat) => {
      totals[heat]! += n;
    });
  }
  let left = budgetBlocks;
  let floor = maxHeat + 1;
  while (floor > 1 && totals[floor - 1]! <= left) {
    floor -= 1;
    left -= totals[floor]!;
  }
  for (const demand of demands) {
    if (floor > maxHeat) break;
    const taken = atLeast(demand.toPool, floor);
    demand.toPool = heatBand(demand.toPool, 0, floor - 1);
    give(demand, tier, taken);
  }
  if (floor > 1 && left > 0) left = takePart(demands, { tier, left, from: 'toPool', heat: floor - 1 });
  if (tier === 'os') left = takePart(demands, { tier, left, from: 'toOs', heat: 0 });
  return left;
}

function takePart<R>(
  demands: readonly Demand<R>[],
  options: { tier: 'pool' | 'os'; left: number; from: 'toPool' | 'toOs'; heat: number },
): number {
  const { tier, from, heat } = options;
  let left = options.left;
  for (const demand of byShare(demands)) {
    if (left <= 0) break;
    const [taken] = splitAt(heatBand(demand[from], heat, heat), left);
    if (taken.starts.length === 0) continue;
    left -= blockCount(taken);
    demand[from] = subtract(demand[from], taken);
    give(demand, tier, taken);
  }
  return left;
}

/**
 * Gives relations known by name their place: greater share first, indexes before tables, whole or, where
 * it does not fit, its newest blocks (the end of the file). Returns what is left of the budget.
 */
export function allotRelations<R>(
  demands: readonly Demand<R>[],
  tier: 'pool' | 'os',
  budgetBlocks: number,
): number {
  let left = budgetBlocks;
  for (const demand of byShare(demands)) {
    if (left <= 0) break;
    const [taken, rest] = splitFromEnd(demand.toPool, left);
    left -= blockCount(taken);
    demand.toPool = rest;
    give(demand, tier, taken);
  }
  return left;
}

function give<R>(demand: Demand<R>, tier: 'pool' | 'os', ranges: BlockRanges): void {
  if (ranges.starts.length > 0) demand[tier] = union(demand[tier], ranges);
}

/** Greater share first; of equal share indexes first, for every lookup passes through them. */
export function byShare<T extends { readonly wanted: WorkSetRelation; readonly key: string }>(
  list: readonly T[],
): T[] {
  const isIndex = (d: T) => (d.wanted.kind === 'index' || d.wanted.kind === 'toast_index' ? 0 : 1);
  return [...list].sort(
    (a, b) => b.wanted.share - a.wanted.share || isIndex(a) - isIndex(b) || (a.key < b.key ? -1 : 1),
  );
}
