import { pairKey } from '../broker/bucket.ts';
import { systemClock } from '../lib/clock.ts';
import { defaultHoldPauseOptions, holdPauseMs } from '../planning/hold-pause.ts';
import { Accounting } from './accounting.ts';
import { askSource } from './ask-source.ts';
import { findSource } from './find-source.ts';
import { followSource } from './follow-source.ts';
import { carryDuring, HeatCarry } from './heat-carry.ts';
import type { MigrationRun } from './migration-run.ts';
import { ReadingFigures } from './reading-figures.ts';
import { takeRound } from './take-round.ts';
import type { Place } from './target-share.ts';
import { untilReachable } from './until-reachable.ts';
import type { RoundContext } from './warming-round.ts';

/** Longest wait for the source's agent: its walk of a large pool takes a while. */
const longestWaitMs = 10_000;
/** Part of the time until the deadline in which it may answer: what its published profile names takes time to read. */
const waitShare = 1 / 4;
const leastWaitMs = 1_000;
/** Rounds of reading that follow each other at once; what they could not make resident will not stay. */
const eagerRounds = 3;
/** Half of the time is left to who else is on the server. */
const restInHold = 1;
/** How long other migrations take to give back their part of the pool to a newcomer. */
const provisionalPauseMs = 200;

/**
 * Warms the target for one VM in rounds: measure, plan, read. The first rounds make it ready; those of the
 * hold follow the source's new heat and read again what was lost, until the VM arrives, and in their pauses
 * the heat is carried over; after that the plan is brought to its end and its worth measured.
 * Returns then, or when `stop` aborts. Rejects with what makes the warming impossible.
 */
export async function warmUntilSettled(run: MigrationRun, stop: AbortSignal): Promise<void> {
  const { broker, share, precedence, config } = run.parts;
  await precedence.turn('new');
  run.apply('profile');
  const { vm, target } = run.record;
  const source =
    run.record.source ??
    (await untilReachable(() => findSource(broker, vm, { target, migration: run.record.id }), run, stop));
  if (source !== run.record.source) run.update({ source });
  const place = share.join(run.record.id, Date.parse(run.record.deadline));
  const accounting = new Accounting(run, config.account.windowMs);
  try {
    const carry = await rounds(run, { source, place }, stop);
    if (stop.aborted || carry === null) return;
    // From here on the VM is a resident like the others, and its own use keeps its blocks.
    place.leave();
    const afterArrival = await accounting.settle(carry, stop);
    run.update({ afterArrival });
    run.logger.info(afterArrival, 'what the warming was worth');
  } finally {
    place.leave();
  }
}

/** `leftMs`: until the deadline, after which there is no hurry until the VM comes. */
function sourceWaitMs(leftMs: number): number {
  return leftMs <= 0 ? longestWaitMs : Math.min(longestWaitMs, Math.max(leastWaitMs, leftMs * waitShare));
}

/** What is left of carrying the heat over when nothing is left to read and the VM has arrived; null when stopped. */
async function rounds(
  run: MigrationRun,
  { source, place }: { source: string; place: Place },
  stop: AbortSignal,
): Promise<HeatCarry | null> {
  const { config, engine, device } = run.parts;
  const context: RoundContext = {
    engine,
    device,
    budget: place.budget,
    osCacheFraction: config.warm.osCacheFraction,
    goal: config.warm.goal,
    deadlineMs: () => (run.arrived.aborted ? Date.now() : Date.parse(run.record.deadline)),
    osDone: new Map(),
  };
  const figures = new ReadingFigures(run.record.warmed);
  const { id: migration, vm, target } = run.record;
  const ask = (sharpen: boolean) =>
    askSource(
      run.parts.broker,
      { source, vm, sharpen, maxAgeMs: 0, migration, target },
      sourceWaitMs(Date.parse(run.record.deadline) - Date.now()),
    );
  void foresee(run, source);
  let answer = await untilReachable(() => ask(true), run, stop);
  const askAnew = () => followSource(() => ask(false), answer, { run, stop });
  let pauseMs: number | null = null;
  for (let eager = eagerRounds; ; ) {
    const parts = { context, figures, place, askAnew, last: eager === 0 };
    await run.parts.precedence.turn('begun');
    const round = await takeRound(run, answer, parts, stop);
    if (round === null) return null;
    if (round.next === 'provisional') await systemClock.sleep(provisionalPauseMs, stop);
    if (round.next === 'again') {
      eager -= 1;
      answer = round.anew ?? answer;
    }
    if (round.next !== 'hold') continue;
    const carry = new HeatCarry(round.end, engine);
    if (!run.arrived.aborted) {
      const { costMs: roundCostMs, residency } = round;
      pauseMs = holdPauseMs(
        { roundCostMs, changedFraction: 1 - residency, lastPauseMs: pauseMs },
        { ...defaultHoldPauseOptions, shortestMs: config.hold.intervalMs },
      );
      const pause = systemClock.sleep(pauseMs, AbortSignal.any([stop, run.arrived]));
      await carryDuring(pause, carry, { run, stop, rest: restInHold });
    }
    if (stop.aborted) return null;
    // Another walk of the pool would compete with the VM's own first reads for less than it brings.
    if (run.arrived.aborted) return carry;
    answer = await askAnew();
    if (stop.aborted) return null;
    if (run.arrived.aborted && !round.needed) return carry;
  }
}

/** While the source walks its pool, the target makes ready for what the VM's profile names; where that fails, it does so later. */
async function foresee({ parts, record }: MigrationRun, source: string): Promise<void> {
  try {
    const profile = await parts.broker.profiles.get(pairKey(source, record.vm));
    const { connections } = parts.config.warm;
    if (profile !== null) await parts.engine.foresee(profile.value.relations, connections);
  } catch (error) {
    parts.logger.debug({ error: (error as Error).message }, 'nothing was made ready ahead');
  }
}
