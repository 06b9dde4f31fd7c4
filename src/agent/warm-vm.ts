import { systemClock } from '../lib/clock.ts';
import { describeError, type ErrorCode } from '../lib/errors.ts';
import { retry } from '../lib/retry.ts';
import { emptyRanges, union } from '../planning/block-ranges.ts';
import { defaultHoldPauseOptions, holdPauseMs } from '../planning/delta.ts';
import { withHeat } from '../planning/range-cuts.ts';
import { Accounting } from './accounting.ts';
import { askSource, type SourceAnswer } from './ask-source.ts';
import { findSource } from './find-source.ts';
import type { MigrationRun } from './migration-run.ts';
import { readPlan } from './read-plan.ts';
import { ReadingFigures } from './reading-figures.ts';
import { settleReady } from './ready.ts';
import { describePlan, describeWorkSet } from './record-figures.ts';
import type { Place } from './target-share.ts';
import { assess, carryHeat, type RoundContext, type Situation } from './warming-round.ts';

/** Longest wait for the source's agent: its walk of a large pool takes a while. */
const sourceTimeoutMs = 10_000;
/** Rounds of reading that follow each other at once; what they could not make resident will not stay. */
const eagerRounds = 3;
/** How long an arrival waits for what the VM touched last: its own first reads would be those. */
const lastDeltaMs = 1_000;
/** How long other migrations take to give back their part of the pool to a newcomer. */
const provisionalPauseMs = 200;

/**
 * Warms the target for one VM in rounds: measure, plan, read, carry the heat over. The first rounds make
 * it ready; those of the hold follow the source's new heat and read again what was lost, until the VM
 * arrives; after that the plan is brought to its end and its worth measured.
 * Returns then, or when `stop` aborts. Rejects with what makes the warming impossible.
 */
export async function warmUntilSettled(run: MigrationRun, stop: AbortSignal): Promise<void> {
  const { broker, share, config } = run.parts;
  run.apply('profile');
  const { vm, target } = run.record;
  const source = run.record.source ?? (await untilReachable(() => findSource(broker, vm, target), run, stop));
  run.update({ source });
  const place = share.join(run.record.id, Date.parse(run.record.deadline));
  const accounting = new Accounting(run, config.account.windowMs);
  try {
    const situation = await rounds(run, { source, place }, stop);
    if (stop.aborted || situation === null) return;
    // From here on the VM is a resident like the others, and its own use keeps its blocks.
    place.leave();
    run.update({ afterArrival: await accounting.settle(situation, stop) });
  } finally {
    place.leave();
  }
}

/** The last situation, with nothing left to read and the VM arrived; null when stopped. */
async function rounds(
  run: MigrationRun,
  { source, place }: { source: string; place: Place },
  stop: AbortSignal,
): Promise<Situation | null> {
  const { config, engine, device } = run.parts;
  const context: RoundContext = {
    engine,
    device,
    budget: place.budget,
    osCacheFraction: config.warm.osCacheFraction,
    deadlineMs: () => (run.arrived.aborted ? Date.now() : Date.parse(run.record.deadline)),
    osDone: new Map(),
  };
  const figures = new ReadingFigures(run.record.warmed);
  const ask = (sharpen: boolean) =>
    askSource(run.parts.broker, { source, vm: run.record.vm, sharpen, maxAgeMs: 0 }, sourceTimeoutMs);
  let answer = await untilReachable(() => ask(true), run, stop);
  // What the VM touched while a plan was read is missing: the first round of the hold does not wait.
  let outOfDate = true;
  let pauseMs: number | null = null;
  let eager = eagerRounds;
  for (;;) {
    const startedMs = systemClock.monotonicMs();
    const situation = await untilReachable(() => assess(answer.workSet, context), run, stop);
    const costMs = systemClock.monotonicMs() - startedMs;
    run.apply('warm');
    report(run, answer, situation);
    const left = situation.segments.length > 0;
    const { provisional } = situation.budget;
    const settled = !provisional && (!left || eager === 0);
    const enough = settled || situation.residency >= config.warm.goal;
    if (enough && run.record.readyAt === undefined) await settleReady(run, situation, stop);
    if (stop.aborted) return null;
    if (left) {
      await untilReachable(() => read(run, answer, { situation, context, figures, place }, stop), run, stop);
      if (stop.aborted) return null;
    } else if (!outOfDate || run.arrived.aborted) {
      await untilReachable(() => carryHeat(situation, engine, stop), run, stop);
    }
    if (run.arrived.aborted && settled) return situation;
    if (provisional) {
      await systemClock.sleep(provisionalPauseMs, stop);
      continue;
    }
    if (left && eager > 0) {
      eager -= 1;
      continue;
    }
    const changedFraction = 1 - situation.residency;
    pauseMs = holdPauseMs(
      { roundCostMs: costMs, changedFraction, lastPauseMs: pauseMs },
      { ...defaultHoldPauseOptions, shortestMs: config.hold.intervalMs },
    );
    if (!outOfDate) await systemClock.sleep(pauseMs, AbortSignal.any([stop, run.arrived]));
    outOfDate = false;
    if (stop.aborted) return null;
    answer = await follow(() => ask(false), answer, { run, stop });
    if (stop.aborted) return null;
  }
}

interface Round {
  readonly situation: Situation;
  readonly context: RoundContext;
  readonly figures: ReadingFigures;
  readonly place: Place;
}

/** Reads what the plan has left, then, once ready is said, carries the heat over if all of it was read. */
async function read(run: MigrationRun, answer: SourceAnswer, round: Round, stop: AbortSignal): Promise<void> {
  const { config, engine, device, watch } = run.parts;
  const { situation, context, figures, place } = round;
  const { blockBytes } = answer.workSet;
  figures.startRound(situation, blockBytes);
  const startedMs = systemClock.monotonicMs();
  const endWarming = watch.warming();
  const markArrival = () => place.arrive();
  run.arrived.addEventListener('abort', markArrival, { once: true });
  if (run.arrived.aborted) markArrival();
  try {
    const complete = await readPlan(
      situation.segments,
      {
        ...{ engine, device, watch, place, blockBytes },
        stepBytes: config.warm.chunkBytes,
        connections: config.warm.connections,
        maxLagMs: config.warm.maxLagMs,
        deadlineMs: context.deadlineMs(),
        arrived: () => run.arrived.aborted,
        onStep: (report) => {
          if (figures.step(report)) run.progress(figures.progress);
        },
      },
      stop,
    );
    if (!complete) return;
    for (const { key, tier, ranges } of situation.segments) {
      if (tier === 'os')
        context.osDone.set(key, union(context.osDone.get(key) ?? emptyRanges, withHeat(ranges, 0)));
    }
    // A pool that holds the blocks is ready; their order of heat follows at once.
    const wanted = run.record.readyAt !== undefined || run.arrived.aborted;
    if (wanted) await carryHeat(situation, engine, stop);
  } finally {
    endWarming();
    run.arrived.removeEventListener('abort', markArrival);
    figures.endRound(Math.round(systemClock.monotonicMs() - startedMs));
    const { operationMs, byteMs } = device.model;
    run.update({
      warmed: figures.warmed,
      device: { operationMs, bytesPerSecond: Math.round(1000 / byteMs) },
    });
    run.progress(figures.progress);
  }
}

function report(run: MigrationRun, answer: SourceAnswer, situation: Situation): void {
  const { watch } = run.parts;
  const { plan, state, workSet } = run.record;
  const first = plan === undefined || state === 'warming';
  // The source is back: what was planned by its profile is planned anew.
  const back = workSet?.origin === 'profile' && answer.origin === 'agent';
  run.update({
    ...describeWorkSet(answer),
    // The plan that a reader wants to see is the one that made it ready, not the hold's small ones.
    ...(first && situation.segments.length > 0 ? describePlan(situation, answer.workSet.blockBytes) : {}),
    ...(plan === undefined || back ? describePlan(situation, answer.workSet.blockBytes) : {}),
    residency: Math.round(situation.residency * 10_000) / 10_000,
    means: watch.identity?.means ?? 'unknown',
    ...(watch.health?.lagMs == null ? {} : { lagMs: watch.health.lagMs }),
    ...(back ? { reason: `the agent of ${run.record.source} answers again` } : {}),
    ...(answer.reason === undefined ? {} : { reason: answer.reason }),
  });
}

/** The source's newest work set; the last one while the source is away, for blocks beat a profile, or does not answer in time. */
async function follow(
  ask: () => Promise<SourceAnswer>,
  last: SourceAnswer,
  { run, stop }: { readonly run: MigrationRun; readonly stop: AbortSignal },
): Promise<SourceAnswer> {
  if (stop.aborted || run.arrived.aborted) return last;
  const asked = ask().catch((error: unknown) => {
    const why = { error: (error as Error).message };
    run.logger.debug(why, 'the source did not answer; its last work set serves');
    return last;
  });
  // A source that is silent must hold up neither an arrival nor the end of the agent.
  const settled = new AbortController();
  const late = new Promise<SourceAnswer>((resolve) => {
    const giveUp = () => resolve(last);
    stop.addEventListener('abort', giveUp, { once: true, signal: settled.signal });
    run.arrived.addEventListener(
      'abort',
      () => void systemClock.sleep(lastDeltaMs, settled.signal).then(giveUp),
      {
        once: true,
        signal: settled.signal,
      },
    );
  });
  const fresh = await Promise.race([asked, late]);
  settled.abort();
  return fresh.origin === 'profile' && last.origin === 'agent' ? last : fresh;
}

/** What passes by itself: a server or NATS that is restarting. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'database_unreachable',
  'broker_unreachable',
  'source_away',
]);
/** What another attempt may mend. */
const doubtful: ReadonlySet<ErrorCode> = new Set([
  'warming_failed',
  'statement_timeout',
  'no_work_set',
  'internal',
]);
const doubtfulAttempts = 3;

/** Tries again for as long as a server is away, and a few times whatever else happens. */
async function untilReachable<T>(work: () => Promise<T>, run: MigrationRun, stop: AbortSignal): Promise<T> {
  let doubts = 0;
  let away = false;
  const result = await retry(work, {
    signal: stop,
    maxDelayMs: 2_000,
    retryable: (error) => {
      const { code } = describeError(error);
      return passing.has(code) || (doubtful.has(code) && ++doubts < doubtfulAttempts);
    },
    onRetry: (error) => {
      run.logger.warn({ error: (error as Error).message }, 'held up; trying again');
      away ||= describeError(error).code === 'database_unreachable';
    },
  });
  if (away) await run.parts.watch.identify().catch(() => {});
  return result;
}
