import type { Engine, LocalRelation, PoolState, RelationMatch } from '../engines/engine.ts';
import { systemClock } from '../lib/clock.ts';
import {
  type BlockRanges,
  blockCount,
  combine,
  emptyRanges,
  subtract,
  union,
} from '../planning/block-ranges.ts';
import { coldHeat, osCacheBudget } from '../planning/budget.ts';
import { heatPasses } from '../planning/heat-passes.ts';
import { type Plan, planPrewarm } from '../planning/plan.ts';
import { atLeast, withHeat } from '../planning/range-cuts.ts';
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
}

export interface RoundContext {
  readonly engine: Engine;
  readonly device: Device;
  /** Decides how many blocks may be read into the pool. */
  readonly budget: Place['budget'];
  readonly osCacheFraction: number;
  /** Wall clock at which what is hottest must be there: the deadline, or now once the VM has arrived. */
  readonly deadlineMs: () => number | null;
  /** What earlier rounds put into the OS cache, by relation key: the pool's view does not show it. */
  readonly osDone: Map<string, BlockRanges>;
}

/** What the target holds of a work set at one moment. */
type Look = Pick<Situation, 'matches' | 'pool' | 'residency'> & {
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
    });
  const unbounded = planFor(Number.MAX_SAFE_INTEGER);
  const wantedBlocks = unbounded.residentBlocks + unbounded.plannedBlocks;
  const residency = wantedBlocks === 0 ? 1 : unbounded.residentBlocks / wantedBlocks;
  return { matches, pool, residency, unbounded, planFor };
}

/** Measures the target and plans what is missing. Walks the target's pool once. */
export async function assess(workSet: WorkSet, context: RoundContext): Promise<Situation> {
  const { matches, pool, residency, unbounded, planFor } = await look(workSet, context);
  const needs = { heldBlocks: coldHeld(matches, pool), missingBlocks: unbounded.plannedBlocks };
  const budget = context.budget(pool, needs);
  const plan = unbounded.plannedBlocks <= budget.blocks ? unbounded : planFor(budget.blocks);
  const segments = plan.segments.flatMap((segment) => {
    if (segment.tier === 'pool') return [segment];
    const ranges = subtract(segment.ranges, context.osDone.get(segment.key) ?? emptyRanges);
    return ranges.starts.length === 0 ? [] : [{ ...segment, ranges, blocks: blockCount(ranges) }];
  });
  return { matches, pool, plan, segments, budget, residency };
}

function timeLeftMs(deadlineMs: number | null): number | null {
  return deadlineMs === null ? null : Math.max(0, deadlineMs - Date.now());
}

/** Blocks of the work set that the pool holds, but at a heat that looks free for the taking. */
function coldHeld(matches: readonly RelationMatch[], pool: PoolState): number {
  let blocks = 0;
  for (const { wanted, verdict, local } of matches) {
    const here = local === undefined ? undefined : pool.resident.get(relationKey(local));
    if (here === undefined) continue;
    const cold = (heat: number) => heat >= 1 && heat <= coldHeat;
    const held =
      verdict === 'blocks'
        ? combine(wanted.ranges, here, (want, heat) => (want >= 1 && cold(heat) ? 1 : -1))
        : combine(here, emptyRanges, (heat) => (cold(heat) ? 1 : -1));
    blocks += blockCount(held);
  }
  return blocks;
}

/** What the target holds of one relation once the round's reading is done: what it held, and at heat 1 what was read. */
function heldAfterReading({ pool, segments }: Situation, key: string): BlockRanges {
  const before = atLeast(pool.resident.get(key) ?? emptyRanges, 1);
  return segments
    .filter((segment) => segment.key === key && segment.tier === 'pool')
    .reduce((sum, segment) => union(sum, withHeat(segment.ranges, 1)), before);
}

/** After each statement, rests for so many times as long as it took: the VM's own first reads want the processors. */
const restAfterArrival = 4;

/** Carries the source's heat over to what the target holds now; reads nothing. At a fifth of the pace once the VM is here. */
export async function carryHeat(
  situation: Situation,
  engine: Engine,
  { signal, arrived }: { readonly signal: AbortSignal; readonly arrived: AbortSignal },
): Promise<void> {
  for (const { wanted, verdict, local } of situation.matches) {
    if (verdict !== 'blocks' || local === undefined) continue;
    const held = heldAfterReading(situation, relationKey(local));
    for (const { spans } of heatPasses(wanted.ranges, held)) {
      if (signal.aborted) return;
      const startedMs = systemClock.monotonicMs();
      await engine.raiseHeat(local, spans, signal);
      const tookMs = systemClock.monotonicMs() - startedMs;
      if (arrived.aborted) await systemClock.sleep(restAfterArrival * tookMs, signal);
    }
  }
}

/** The heat at which a round that was brought to its end left the work set's blocks, by `relationKey`. */
export function heatsLeft(situation: Situation): ReadonlyMap<string, BlockRanges> {
  const heats = new Map<string, BlockRanges>();
  for (const { wanted, verdict, local } of situation.matches) {
    if (local === undefined) continue;
    const key = relationKey(local);
    const held = heldAfterReading(situation, key);
    const carried = (want: number, heat: number) => (want < 0 || heat < 1 ? -1 : Math.max(want, heat));
    heats.set(key, verdict === 'blocks' ? combine(wanted.ranges, held, carried) : held);
  }
  return heats;
}
