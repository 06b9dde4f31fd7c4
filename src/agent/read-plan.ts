import type { Engine, LocalRelation } from '../engines/engine.ts';
import { systemClock } from '../lib/clock.ts';
import { estimateMs } from '../planning/cost-model.ts';
import { type Cursor, nextStep, type ReadStep, startCursor, stepBlocks } from '../planning/extents.ts';
import { gapChooser } from '../planning/gaps.ts';
import { interleave } from '../planning/interleave.ts';
import type { Plan } from '../planning/plan.ts';
import { decideThrottle, type Felt, type ThrottleReason } from '../planning/throttle.ts';
import type { Device } from './device.ts';
import type { ServerWatch } from './server-watch.ts';
import type { Place } from './target-share.ts';
import type { TrialPause } from './trial-pause.ts';

export interface ReadContext {
  readonly engine: Engine;
  readonly device: Device;
  readonly watch: ServerWatch;
  readonly trial: TrialPause;
  readonly place: Place;
  readonly blockBytes: number;
  readonly stepBytes: number;
  readonly connections: number;
  readonly maxLagMs: number;
  /** Wall clock; null: none. */
  readonly deadlineMs: number | null;
  readonly arrived: () => boolean;
  /** After each step: what was read, and how long the throttle held it back and why. */
  readonly onStep: (done: StepReport) => void;
}

export interface StepReport {
  readonly step: ReadStep<LocalRelation>;
  readonly blocks: number;
  readonly throttledMs: number;
  readonly throttleReason: ThrottleReason;
}

/** Bounds of one statement, besides its bytes. */
const maxSpans = 2_048;
const maxStepMs = 1_000;

type Segments = Plan<LocalRelation>['segments'];

/**
 * Reads a plan step by step on several connections, each step cut by what is known of the device at
 * that moment, each followed by a decision of the throttle. False when it ended early, for the signal
 * aborted or the other migrations changed; rejects with what the database said.
 */
export async function readPlan(
  planned: Segments,
  context: ReadContext,
  signal: AbortSignal,
): Promise<boolean> {
  const { blockBytes } = context;
  const mostBlocks = Math.max(1, Math.floor(context.stepBytes / blockBytes));
  const { model } = context.device;
  const segments = interleave(planned, { model, blockBytes, pieceBlocks: mostBlocks });
  let cursor: Cursor = startCursor;
  let remainingBytes = segments.reduce((sum, segment) => sum + segment.blocks, 0) * context.blockBytes;
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const allowed = {
    ...{ wantedBlocks: mostBlocks, readBlocks: 4 * mostBlocks },
    ...{ spans: maxSpans, places: maxSpans, predictedMs: maxStepMs },
  };
  const gapBlocksBy = gapChooser(segments, blockBytes);
  const take = (): ReadStep<LocalRelation> | null => {
    const model = context.device.cuttingCost;
    const { connections } = context;
    const wantedBlocks = stepBlocks(remainingBytes / blockBytes, { connections, mostBlocks });
    const limits = context.device.bound({ ...allowed, wantedBlocks });
    const next = nextStep(segments, cursor, { model, gapBlocks: gapBlocksBy(model), blockBytes, limits });
    if (next === null) return null;
    cursor = next.cursor;
    remainingBytes -= next.step.wantedBlocks * context.blockBytes;
    return next.step;
  };
  const work = async () => {
    // The first statement of a connection waits for more than the device.
    let learns = false;
    try {
      while (!stop.aborted && !context.place.outdated) {
        const endTurn = await context.place.turn();
        if (context.trial.underWay !== null) {
          endTurn();
          await context.trial.underWay;
          continue;
        }
        const step = stop.aborted || context.place.outdated ? null : take();
        if (step === null) {
          endTurn();
          return;
        }
        await readStep(step, endTurn, context, { stop, remainingBytes, learns });
        learns = true;
      }
    } catch (error) {
      failed.abort();
      throw error;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: context.connections }, work));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined && !signal.aborted) throw failure.reason;
  return !signal.aborted && take() === null;
}

async function readStep(
  step: ReadStep<LocalRelation>,
  endTurn: () => number,
  context: ReadContext,
  rest: { readonly stop: AbortSignal; readonly remainingBytes: number; readonly learns: boolean },
): Promise<void> {
  const { engine, device, watch } = context;
  let blocks: number;
  let diskMs: number;
  let filledAside = false;
  const endReading = context.trial.reading();
  try {
    const { relation, tier, readThrough, wanted } = step;
    const onDiskDone = () => {
      filledAside = true;
      endTurn();
    };
    ({ blocks } = await engine.warm({ relation, tier, readThrough, wanted, onDiskDone }, rest.stop));
  } finally {
    endReading();
    diskMs = endTurn();
  }
  if (blocks > 0 && rest.learns) device.learn(filledAside ? { ...step, secondPassBytes: 0 } : step, diskMs);
  if (step.tier === 'pool') context.place.spend(blocks);
  // Not awaited: the decision uses the newest look there is, at most about half a second old.
  void watch.look();
  const held = await holdBack(context, { ...rest, chunkMs: diskMs });
  context.onStep({ step, blocks, ...held });
}

/** Longest stretch of a pause before residents are looked at again. */
const pauseSliceMs = 500;

/** Waits as the throttle decides, no longer than residents suffer: each stretch ends with a look and a new decision. */
async function holdBack(
  context: ReadContext,
  step: { readonly stop: AbortSignal; readonly remainingBytes: number; readonly chunkMs: number },
): Promise<Pick<StepReport, 'throttledMs' | 'throttleReason'>> {
  const { device, watch, trial } = context;
  let throttledMs = 0;
  let reason: ThrottleReason | undefined;
  let felt = feltBy(watch);
  for (;;) {
    const decision = decideThrottle({
      ...felt,
      baselineLatencyMs: watch.usual?.latencyMs ?? null,
      cause: trial.cause,
      nowMs: systemClock.monotonicMs(),
      lagMs: watch.health?.lagMs ?? null,
      lagLimitMs: context.maxLagMs,
      untilDeadlineMs: context.deadlineMs === null ? null : context.deadlineMs - Date.now(),
      remainingMs: estimateMs(device.model, 0, step.remainingBytes),
      arrived: context.arrived(),
      chunkMs: step.chunkMs,
    });
    if (reason === undefined || (reason === 'trial' && decision.action === 'pause')) reason = decision.reason;
    if (decision.action === 'try' && !step.stop.aborted) {
      const beganMs = systemClock.monotonicMs();
      await trial.run(felt);
      throttledMs += systemClock.monotonicMs() - beganMs;
      // By the same figures: where they are reading's doing, the pause goes on.
      continue;
    }
    const leftMs = decision.pauseMs - throttledMs;
    if (decision.action === 'go' || leftMs <= 0 || step.stop.aborted)
      return { throttledMs, throttleReason: reason };
    const sliceMs = Math.min(leftMs, pauseSliceMs);
    await systemClock.sleep(sliceMs, step.stop);
    throttledMs += sliceMs;
    await watch.look();
    felt = feltBy(watch);
  }
}

function feltBy({ whileWarming, health }: ServerWatch): Felt {
  const { latencyMs, statements } = whileWarming;
  return { latencyMs, statements, active: health?.active ?? 0, ioWaiting: health?.ioWaiting ?? 0 };
}
