import { type BlockRanges, blockCount, emptyRanges, intersect, union } from './block-ranges.ts';
import { type Plan, type PlanInput, planPrewarm, type TargetRelation } from './plan.ts';

/** What a migration held in the target's pool after its last round, by `relationKey`. */
export type HeldBlocks = ReadonlyMap<string, BlockRanges>;

export interface Delta<R extends TargetRelation = TargetRelation> {
  readonly plan: Plan<R>;
  /** Of what the plan reads into the pool: hot at the source since the last round, and lost here since. */
  readonly newBlocks: number;
  readonly lostBlocks: number;
  /** Those two as a part of all that is resident or planned, 0 to 1. */
  readonly changedFraction: number;
}

/** What a hold round reads: the new work set less what is resident now, within what is left of the budget. */
export function planDelta<R extends TargetRelation>(input: PlanInput<R>, held: HeldBlocks): Delta<R> {
  const plan = planPrewarm(input);
  let lostBlocks = 0;
  for (const { key, tier, ranges } of plan.segments) {
    if (tier === 'pool') lostBlocks += blockCount(intersect(ranges, held.get(key) ?? emptyRanges));
  }
  const newBlocks = plan.plannedBlocks - lostBlocks;
  const all = plan.plannedBlocks + plan.residentBlocks;
  return { plan, newBlocks, lostBlocks, changedFraction: all === 0 ? 0 : plan.plannedBlocks / all };
}

/** What is held once a plan is carried out: what was resident, and what it reads into the pool. */
export function heldAfter(plan: Plan, resident: ReadonlyMap<string, BlockRanges>): HeldBlocks {
  const held = new Map(resident);
  for (const { key, tier, ranges } of plan.segments) {
    if (tier === 'pool') held.set(key, union(held.get(key) ?? emptyRanges, ranges));
  }
  return held;
}

export interface HoldPauseInput {
  /** What the last round's statements took at the dearer of the two servers; reading blocks not counted. */
  readonly roundCostMs: number;
  readonly changedFraction: number;
  /** The last pause; null before the first. */
  readonly lastPauseMs: number | null;
}

export interface HoldPauseOptions {
  /** The part of a server's time that rounds may take, 0 to 1. It wins over `longestMs`. */
  readonly costFraction: number;
  readonly shortestMs: number;
  readonly longestMs: number;
  /** Changes above `busy` halve the pause, below `quiet` they double it. */
  readonly busy: number;
  readonly quiet: number;
}

export const defaultHoldPauseOptions: HoldPauseOptions = {
  costFraction: 0.02,
  shortestMs: 1000,
  longestMs: 30_000,
  busy: 0.02,
  quiet: 0.005,
};

/** How long to wait before the next hold round: shorter while much changes, never dearer than its fraction. */
export function holdPauseMs(
  input: HoldPauseInput,
  options: HoldPauseOptions = defaultHoldPauseOptions,
): number {
  const { costFraction, shortestMs, longestMs, busy, quiet } = options;
  const { changedFraction } = input;
  const last = input.lastPauseMs ?? 2 * shortestMs;
  const wished = changedFraction > busy ? last / 2 : changedFraction < quiet ? last * 2 : last;
  const affordable = Math.max(0, input.roundCostMs) * (1 / costFraction - 1);
  return Math.ceil(Math.max(Math.min(Math.max(wished, shortestMs), longestMs), affordable));
}
