import {
  type BlockRanges,
  blockCount,
  emptyRanges,
  intersect,
  singleRange,
  subtract,
} from './block-ranges.ts';
import type { DeviceCost } from './cost-model.ts';
import type { Readable } from './extents.ts';
import { allotBlocks, allotRelations, type Demand } from './plan-allot.ts';
import { orderSegments } from './plan-order.ts';
import { atLeast, clip, heatBand } from './range-cuts.ts';
import { type Fork, type RelationRef, relationKey, type WorkSetRelation } from './work-set.ts';
import { plainShare } from './worth-warming.ts';

/** What planning needs to know of a relation at the target; engines know more. */
export interface TargetRelation extends RelationRef {
  readonly fork: Fork;
  readonly sizeBlocks: number;
}

/** Where one relation of a work set stands at the target. */
export interface PlanMatch<R extends TargetRelation = TargetRelation> {
  readonly wanted: WorkSetRelation;
  /** `blocks`: the list holds here; `relation`: only the name does; `absent`: not here. */
  readonly verdict: 'blocks' | 'relation' | 'absent';
  /** What the list's positions are, in words; `by their blocks` where left out. */
  readonly how?: string;
  readonly local?: R;
  readonly reason?: string;
}

export interface PlanInput<R extends TargetRelation = TargetRelation> {
  readonly matches: readonly PlanMatch<R>[];
  /** False: the work set has names and shares only. */
  readonly blocksKnown: boolean;
  /** By `relationKey`: what the target's pool holds now (heat 1..5) and, where known, its OS cache alone (0). */
  readonly resident: ReadonlyMap<string, BlockRanges>;
  /** Blocks that may still be read into the pool, and into the OS cache. */
  readonly budget: { readonly poolBlocks: number; readonly osBlocks: number; readonly osReason?: string };
  readonly model: DeviceCost;
  readonly blockBytes: number;
  /** Time left; null: no deadline. */
  readonly deadlineMs: number | null;
  /** Part of what is wanted with which the target is ready, 0 to 1. */
  readonly goal: number;
}

/** One relation's blocks for one tier, of one class of heat. */
export interface Segment<R> extends Readable<R> {
  readonly key: string;
  readonly blocks: number;
  /** Segments of one rank may be read in any order; a lower one goes first. */
  readonly rank: number;
}

export interface PlannedRelation extends RelationRef {
  readonly fork: Fork;
  readonly key: string;
  readonly strategy: 'blocks' | 'relation' | 'skipped';
  /** To be read into the pool, and into the OS cache. */
  readonly blocks: number;
  readonly osBlocks: number;
  readonly residentBlocks: number;
  readonly skippedBlocks: number;
  /** How its wanted blocks were found, where the match says so. */
  readonly how?: string;
  readonly reason?: string;
}

/** No room in the pool's budget, or in the OS cache's; the relation, or that part of it, is not on the target. */
export const skipReasons = ['pool_budget', 'os_cache_budget', 'absent', 'beyond_end'] as const;
export type SkipReason = (typeof skipReasons)[number];

export interface Plan<R extends TargetRelation = TargetRelation> {
  /** In the order in which to read them; a block is in at most one. */
  readonly segments: readonly Segment<R>[];
  readonly plannedBlocks: number;
  readonly residentBlocks: number;
  readonly osBlocks: number;
  readonly skippedBlocks: number;
  readonly skippedReason?: string;
  /** Blocks skipped, by reason; the sum is `skippedBlocks`. */
  readonly skipped: Readonly<Record<SkipReason, number>>;
  readonly strategy: 'blocks' | 'relations' | 'mixed' | 'none';
  readonly strategyReason: string;
  /** How the segments are ordered, in words. */
  readonly orderReason: string;
  /** By the model, for the pool's segments and for all. */
  readonly poolMs: number;
  readonly totalMs: number;
  readonly perRelation: readonly PlannedRelation[];
}

/**
 * Cuts a work set to the target's budget and puts it in order. What is resident counts as done and is
 * not read. Exact blocks have the pool first, hottest first; then relations known by name alone, by
 * share. What the pool cannot take goes to the OS cache within its own budget, hottest first, then
 * what only the source's OS cache holds; the rest is skipped and counted.
 * For every relation, planned + OS + resident + skipped is what was wanted of it.
 */
export function planPrewarm<R extends TargetRelation>(input: PlanInput<R>): Plan<R> {
  const demands = demandsOf(input);
  const budget = {
    poolBlocks: Math.max(0, Math.floor(input.budget.poolBlocks)),
    osBlocks: Math.max(0, Math.floor(input.budget.osBlocks)),
  };
  const exact = demands.filter((d) => d.verdict === 'blocks');
  const byName = demands.filter((d) => d.verdict === 'relation');
  let poolLeft = allotBlocks(exact, 'pool', budget.poolBlocks);
  poolLeft = allotRelations(byName, 'pool', poolLeft);
  let osLeft = allotBlocks(exact, 'os', budget.osBlocks);
  osLeft = allotRelations(byName, 'os', osLeft);

  const ordered = orderSegments(demands, input);
  const hows = new Map(input.matches.map(({ wanted, how }) => [relationKey(wanted), how]));
  const perRelation = demands.map((demand) => describe(demand, hows.get(demand.key)));
  const sum = (of: (r: PlannedRelation) => number) => perRelation.reduce((total, r) => total + of(r), 0);
  const skippedBlocks = sum((r) => r.skippedBlocks);
  const skipped = skippedBy(demands);
  return {
    segments: [...ordered.pool, ...ordered.os],
    plannedBlocks: sum((r) => r.blocks),
    residentBlocks: sum((r) => r.residentBlocks),
    osBlocks: sum((r) => r.osBlocks),
    skippedBlocks,
    ...(skippedBlocks > 0 ? { skippedReason: skippedReasonOf(skipped, input) } : {}),
    skipped,
    ...strategyOf(demands, input),
    orderReason: ordered.reason,
    poolMs: ordered.poolMs,
    totalMs: ordered.poolMs + ordered.osMs,
    perRelation,
  };
}

/** What is wanted of each relation and not there yet. */
function demandsOf<R extends TargetRelation>(input: PlanInput<R>): Demand<R>[] {
  const seen = new Set<string>();
  const demands: Demand<R>[] = [];
  for (const { wanted, verdict, local, reason } of input.matches) {
    const key = relationKey(wanted);
    if (seen.has(key)) continue;
    seen.add(key);
    const base = { key, wanted, local, reason, pool: emptyRanges, os: emptyRanges };
    const none = { residentBlocks: 0, toPool: emptyRanges, toOs: emptyRanges };
    const listed = blockCount(wanted.ranges);
    if (verdict === 'absent' || local === undefined) {
      demands.push({
        ...base,
        ...none,
        verdict: 'absent',
        lostBlocks: listed,
        reason: reason ?? 'not on the target',
      });
      continue;
    }
    const here = clip(input.resident.get(key) ?? emptyRanges, local.sizeBlocks);
    const inPool = atLeast(here, 1);
    if (verdict === 'blocks') {
      const ranges = clip(wanted.ranges, local.sizeBlocks);
      const toPool = subtract(atLeast(ranges, 1), inPool);
      const toOs = subtract(heatBand(ranges, 0, 0), here);
      const residentBlocks = blockCount(ranges) - blockCount(toPool) - blockCount(toOs);
      const lostBlocks = listed - blockCount(ranges);
      demands.push({ ...base, verdict, residentBlocks, toPool, toOs, lostBlocks });
      continue;
    }
    // Of what the source's pool holds nothing of, or little and seldom uses, a whole copy here would be of no use.
    const needless = listed === 0 || (wanted.share < plainShare && 2 * listed < local.sizeBlocks);
    const whole = input.blocksKnown && needless ? emptyRanges : singleRange(0, local.sizeBlocks, 1);
    const toPool = subtract(whole, inPool);
    const residentBlocks = blockCount(intersect(whole, inPool));
    demands.push({ ...base, verdict, residentBlocks, toPool, toOs: emptyRanges, lostBlocks: 0 });
  }
  return demands;
}

function describe<R extends TargetRelation>(demand: Demand<R>, how: string | undefined): PlannedRelation {
  const { wanted, key, verdict, residentBlocks, lostBlocks } = demand;
  const { database, schema, name, kind, fork, parent } = wanted;
  const blocks = blockCount(demand.pool);
  const osBlocks = blockCount(demand.os);
  const skippedBlocks = blockCount(demand.toPool) + blockCount(demand.toOs) + lostBlocks;
  const nothing = verdict === 'absent' || (blocks + osBlocks + residentBlocks === 0 && skippedBlocks > 0);
  const reason = demand.reason ?? (nothing ? 'no room' : undefined);
  return {
    ...{ database, schema, name, kind, fork, key },
    ...(parent === undefined ? {} : { parent }),
    strategy: nothing ? 'skipped' : verdict === 'blocks' ? 'blocks' : 'relation',
    ...{ blocks, osBlocks, residentBlocks, skippedBlocks },
    ...(how === undefined || nothing ? {} : { how }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function skippedBy<R>(demands: readonly Demand<R>[]): Record<SkipReason, number> {
  const count = (of: (d: Demand<R>) => number) => demands.reduce((total, d) => total + of(d), 0);
  return {
    pool_budget: count((d) => blockCount(d.toPool)),
    os_cache_budget: count((d) => blockCount(d.toOs)),
    absent: count((d) => (d.verdict === 'absent' ? d.lostBlocks : 0)),
    beyond_end: count((d) => (d.verdict === 'absent' ? 0 : d.lostBlocks)),
  };
}

function skippedReasonOf(skipped: Readonly<Record<SkipReason, number>>, { budget }: PlanInput): string {
  const reasons: string[] = [];
  const { pool_budget: room, os_cache_budget: cached, absent, beyond_end: beyond } = skipped;
  const os = budget.osReason ?? `${Math.floor(budget.osBlocks)} blocks`;
  if (room > 0) {
    const beside = budget.osBlocks > 0 ? ` and the ${os} that the OS cache has` : '';
    reasons.push(
      `${room} blocks beyond the ${Math.floor(budget.poolBlocks)} that the pool has room for now${beside}`,
    );
  }
  if (cached > 0) reasons.push(`${cached} blocks of the source's OS cache beyond the budget here (${os})`);
  if (absent > 0) reasons.push(`${absent} blocks of relations that are not on the target`);
  if (beyond > 0) reasons.push(`${beyond} blocks beyond the relation's end on the target`);
  return reasons.join('; ');
}

function strategyOf<R extends TargetRelation>(demands: readonly Demand<R>[], input: PlanInput<R>) {
  const { blocksKnown } = input;
  const exact = demands.filter((d) => d.verdict === 'blocks').length;
  const byName = demands.filter((d) => d.verdict === 'relation');
  const absent = demands.length - exact - byName.length;
  const strategy: Plan['strategy'] =
    byName.length === 0 ? (exact === 0 ? 'none' : 'blocks') : exact === 0 ? 'relations' : 'mixed';
  const why = new Map<string, number>();
  for (const { reason } of byName) {
    const words = reason ?? (blocksKnown ? 'the block list does not hold here' : 'the source told no blocks');
    why.set(words, (why.get(words) ?? 0) + 1);
  }
  const parts: string[] = [];
  const ways = new Map<string, { n: number; share: number }>();
  for (const { wanted, verdict, local, how = 'by their blocks' } of input.matches) {
    if (verdict !== 'blocks' || local === undefined) continue;
    const way = ways.get(how) ?? { n: 0, share: 0 };
    // All forks of a relation have its share.
    const share = wanted.fork === 'main' ? wanted.share : 0;
    ways.set(how, { n: way.n + 1, share: way.share + share });
  }
  for (const [how, { n, share }] of ways) {
    // Where there is but one way, its share is all.
    const ofAccesses = ways.size > 1 ? ` (${Math.round(100 * share)} % of the accesses)` : '';
    parts.push(`${n} relation forks ${how}${ofAccesses}`);
  }
  for (const [words, n] of why) parts.push(`${n} whole by share: ${words}`);
  if (absent > 0) parts.push(`${absent} not on the target`);
  return { strategy, strategyReason: parts.join('; ') || 'the work set names no relation' };
}
