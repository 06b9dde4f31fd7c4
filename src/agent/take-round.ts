import { systemClock } from '../lib/clock.ts';
import type { SourceAnswer } from './ask-source.ts';
import type { RoundEnd } from './heat-carry.ts';
import type { MigrationRun } from './migration-run.ts';
import { NearEnd } from './near-end.ts';
import { readRound } from './read-round.ts';
import type { ReadingFigures } from './reading-figures.ts';
import { settleReady } from './ready.ts';
import { recordRound } from './record-figures.ts';
import type { Place } from './target-share.ts';
import { untilReachable } from './until-reachable.ts';
import { assess, type RoundContext, type Situation } from './warming-round.ts';

export interface RoundParts {
  readonly context: RoundContext;
  readonly figures: ReadingFigures;
  readonly place: Place;
  readonly askAnew: () => Promise<SourceAnswer>;
  /** Of the rounds that follow each other at once: what these could not make resident will not stay. */
  readonly last: boolean;
}

export interface TakenRound {
  /**
   * `provisional`: others are yet to give back their part of the pool. `replan`: the pool was shared anew while it
   * read. `again`: what was missing is read, whether it stayed is to be measured. `hold`: ready, or all is done.
   */
  readonly next: 'provisional' | 'replan' | 'again' | 'hold';
  readonly end: RoundEnd;
  /** Whether the goal was not reached at its beginning. */
  readonly needed: boolean;
  /** Of the look at the target, in ms. */
  readonly costMs: number;
  /** Residency at its beginning. */
  readonly residency: number;
  /** What the source said while it read, if it was asked. */
  readonly anew: SourceAnswer | undefined;
}

/** Measures the target, plans, says ready where that is enough, and reads what is left. Null when stopped. */
export async function takeRound(
  run: MigrationRun,
  answer: SourceAnswer,
  parts: RoundParts,
  stop: AbortSignal,
): Promise<TakenRound | null> {
  const { context, figures, place, askAnew } = parts;
  const { goal } = run.parts.config.warm;
  const startedMs = systemClock.monotonicMs();
  const situation = await untilReachable(() => assess(answer.workSet, context), run, stop);
  const costMs = systemClock.monotonicMs() - startedMs;
  run.apply('warm');
  recordRound(run, answer, situation);
  const { residency, budget } = situation;
  const left = situation.segments.length > 0;
  const needed = residency < goal;
  const settled = !budget.provisional && (hardlyAnyLeft(situation, goal) || parts.last);
  if ((settled || !needed) && run.record.readyAt === undefined) await settleReady(run, situation, stop);
  if (stop.aborted) return null;
  const ready = run.record.readyAt !== undefined;
  // Beyond the goal is what few reads want: once the VM is here, that would be in the way of its own.
  const end = needed ? stop : AbortSignal.any([stop, run.arrived]);
  const nearEnd = new NearEnd(run, {
    ...{ context, figures, planned: answer, askAnew, lookMs: costMs, stop },
    target: { plan: situation.plan, residency: budget.provisional ? goal : goal * situation.reachable },
  });
  const round = { situation, context, figures, place, nearEnd };
  const complete = !left || (await untilReachable(() => readRound(run, answer, round, end), run, stop));
  const anew = await nearEnd.settled();
  if (stop.aborted) return null;
  const cutShort = !complete && end.aborted;
  const next = () => {
    if (budget.provisional) return 'provisional';
    // Also after an arrival: what was not read yet is planned again.
    if (!complete && !cutShort) return 'replan';
    return !ready && left && !cutShort && !parts.last ? 'again' : 'hold';
  };
  return {
    ...{ next: next(), needed, costMs, residency, anew },
    end: cutShort ? { ...situation, segments: [] } : situation,
  };
}

/** Whether the goal is reached of what can be: the rest is read all the same. */
function hardlyAnyLeft({ plan, segments }: Situation, goal: number): boolean {
  const leftBlocks = segments.reduce((sum, { blocks }) => sum + blocks, 0);
  return leftBlocks <= (1 - goal) * (plan.residentBlocks + leftBlocks);
}
