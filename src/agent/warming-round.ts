import type { Engine, LocalRelation, PoolState, RelationMatch } from '../engines/engine.ts';
import { type BlockRanges, blockCount, combine, emptyRanges, subtract } from '../planning/block-ranges.ts';
import { coldHeat, osCacheBudget } from '../planning/budget.ts';
import { type Plan, planPrewarm } from '../planning/plan.ts';
import { relationKey, type WorkSet } from '../planning/work-set.ts';
import type { Device } from './device.ts';
import type { Place, SharedBudget } from './target-share.ts';

/** A work set held against the target's pool at one moment. */
export interface Situation {
  readonly matches: readonly RelationMatch[];
  readonly pool: PoolState;
  readonly plan: Plan<LocalRelation>;
  /** What is left to read, without what went to the OS cache in earlier rounds. */
  readonly segments: Plan<LocalRelation>['segments'];
  readonly budget: SharedBudget;
  /** Part of the work set's pool blocks that the target's pool holds, 0 to 1; 1 when there are none. */
  readonly residency: number;
  /** The same once the plan is read. */
  readonly reachable: number;
}

export interface RoundContext {
  readonly engine: Engine;
  readonly device: Device;
  /** Decides how many blocks may be read into the pool. */
  readonly budget: Place['budget'];
  readonly osCacheFraction: number;
  /** Residency with which the target is ready. */
  readonly goal: number;
  /** Wall clock at which what is hottest must be there: the deadline, or now once the VM has arrived. */
  readonly deadlineMs: () => number | null;
  /** What earlier rounds put into the OS cache, by relation key: the pool's view does not show it. */
  readonly osDone: Map<string, BlockRanges>;
}

/** What the target holds of a work set at one moment. */
type Look = Pick<Situation, 'matches' | 'pool' | 'residency'> & {
  readonly wantedBlocks: number;
  /** As if there were room for all. */
  readonly unbounded: Plan<LocalRelation>;
  readonly planFor: (poolBlocks: number) => Plan<LocalRelation>;
};

/** Measures the target; plans nothing and sets nothing aside. Walks its pool once. */
export async function look(workSet: WorkSet, context: RoundContext): Promise<Look> {
  const { engine, device } = context;
  const matches = await engine.match(workSet);
  const pool = await engine.poolState(matches.flatMap(({ local }) => (local === undefined ? [] : [local])));
  const osBudget = osCacheBudget(pool.osCacheBytes, {
    blockBytes: workSet.blockBytes,
    fraction: context.osCacheFraction,
  });
  const planFor = (poolBlocks: number) =>
    planPrewarm<LocalRelation>({
      matches,
      blocksKnown: workSet.blocksKnown,
      resident: pool.resident,
      budget: { poolBlocks, osBlocks: osBudget.blocks, osReason: osBudget.reason },
      model: device.model,
      blockBytes: workSet.blockBytes,
      deadlineMs: timeLeftMs(context.deadlineMs()),
      goal: context.goal,
    });
  const unbounded = planFor(Number.MAX_SAFE_INTEGER);
  const wantedBlocks = unbounded.residentBlocks + unbounded.plannedBlocks;
  const residency = wantedBlocks === 0 ? 1 : unbounded.residentBlocks / wantedBlocks;
  return { matches, pool, residency, wantedBlocks, unbounded, planFor };
}

/** Measures the target and plans what is missing. Walks the target's pool once. */
export async function assess(workSet: WorkSet, context: RoundContext): Promise<Situation> {
  const { matches, pool, residency, wantedBlocks, unbounded, planFor } = await look(workSet, context);
  const needs = { heldBlocks: coldHeld(matches, pool), missingBlocks: unbounded.plannedBlocks };
  const budget = context.budget(pool, needs);
  const plan = unbounded.plannedBlocks <= budget.blocks ? unbounded : planFor(budget.blocks);
  const segments = plan.segments.flatMap((segment) => {
    if (segment.tier === 'pool') return [segment];
    const ranges = subtract(segment.ranges, context.osDone.get(segment.key) ?? emptyRanges);
    return ranges.starts.length === 0 ? [] : [{ ...segment, ranges, blocks: blockCount(ranges) }];
  });
  const reachable = wantedBlocks === 0 ? 1 : (plan.residentBlocks + plan.plannedBlocks) / wantedBlocks;
  return { matches, pool, plan, segments, budget, residency, reachable };
}

function timeLeftMs(deadlineMs: number | null): number | null {
  return deadlineMs === null ? null : Math.max(0, deadlineMs - Date.now());
}

/** Blocks of the work set that the pool holds, but that look free for the taking; where heats are unknown, as great a part as of all. */
function coldHeld(matches: readonly RelationMatch[], pool: PoolState): number {
  const cold = sumOf(pool.blocksByHeat.slice(0, coldHeat + 1));
  const coldPart = pool.heatsUnknown === true ? cold / Math.max(1, sumOf(pool.blocksByHeat)) : 1;
  let blocks = 0;
  for (const { wanted, verdict, local } of matches) {
    const here = local === undefined ? undefined : pool.resident.get(relationKey(local));
    if (here === undefined) continue;
    const isCold = (heat: number) => heat >= 1 && heat <= coldHeat;
    const held =
      verdict === 'blocks'
        ? combine(wanted.ranges, here, (want, heat) => (want >= 1 && isCold(heat) ? 1 : -1))
        : combine(here, emptyRanges, (heat) => (isCold(heat) ? 1 : -1));
    blocks += blockCount(held);
  }
  return Math.round(blocks * coldPart);
}

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
