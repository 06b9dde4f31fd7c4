import type { Engine, LocalRelation } from '../engines/engine.ts';
import { systemClock } from '../lib/clock.ts';
import { type Cursor, nextStep, type ReadStep, startCursor, stepBlocks } from '../planning/extents.ts';
import { gapChooser } from '../planning/gaps.ts';
import { interleave } from '../planning/interleave.ts';
import { diskLeft, type Pace, Pacer } from '../planning/pace.ts';
import type { Plan } from '../planning/plan.ts';
import type { Device } from './device.ts';
import { holdBack, type Throttled, urgency } from './hold-back.ts';
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
  /** Part of the disk's time that residents are left who read from it. */
  readonly residentsFraction: number;
  readonly maxLagMs: number;
  /** Wall clock; null: none. */
  readonly deadlineMs: number | null;
  readonly arrived: () => boolean;
  /** After each step: what was read, and how long it was held back and why. */
  readonly onStep: (done: StepReport) => void;
}

export interface StepReport {
  readonly step: ReadStep<LocalRelation>;
  readonly blocks: number;
  readonly throttledMs: Throttled;
}

/** Bounds of one statement, besides its bytes. */
const maxSpans = 2_048;
const maxStepMs = 1_000;

type Segments = Plan<LocalRelation>['segments'];

interface NextRead {
  readonly step: ReadStep<LocalRelation>;
  /** Undefined where nothing is left to residents. */
  readonly pace: Pace | undefined;
}

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
  const { residentsFraction, place } = context;
  const pacer = new Pacer({ blockBytes, residentsFraction, readers: place.readers });
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const allowed = {
    ...{ wantedBlocks: mostBlocks, readBlocks: 4 * mostBlocks },
    ...{ spans: maxSpans, places: maxSpans, predictedMs: maxStepMs },
  };
  const gapBlocksBy = gapChooser(segments, blockBytes);
  const take = (): NextRead | null => {
    const model = context.device.cuttingCost;
    const { connections } = context;
    const wantedBlocks = stepBlocks(remainingBytes / blockBytes, { connections, mostBlocks });
    const left = diskLeft({
      ...{ residentsFraction, ...urgency(context, remainingBytes) },
      readsPerStatement: context.watch.usual?.readsPerStatement ?? null,
      deviceKnown: context.device.known,
    });
    const most = context.device.bound({ ...allowed, wantedBlocks });
    const limits = pacer.bounds(left, most);
    const next = nextStep(segments, cursor, { model, gapBlocks: gapBlocksBy(model), blockBytes, limits });
    if (next === null) return null;
    cursor = next.cursor;
    const { step } = next;
    remainingBytes -= step.wantedBlocks * blockBytes;
    return { step, pace: pacer.next(left, step, context.device.model) };
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
        const next = stop.aborted || context.place.outdated ? null : take();
        if (next === null) {
          endTurn();
          return;
        }
        await readStep(next, endTurn, context, { stop, remainingBytes, learns });
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
  { step, pace }: NextRead,
  endTurn: () => number,
  context: ReadContext,
  rest: { readonly stop: AbortSignal; readonly remainingBytes: number; readonly learns: boolean },
): Promise<void> {
  const { engine, device, watch } = context;
  let blocks: number;
  let diskMs: number;
  let diskDoneMs: number | undefined;
  const beganMs = systemClock.monotonicMs();
  const endReading = context.trial.reading();
  try {
    const { relation, tier, readThrough, wanted } = step;
    const onDiskDone = () => {
      diskDoneMs = systemClock.monotonicMs();
      endTurn();
    };
    ({ blocks } = await engine.warm({ relation, tier, readThrough, wanted, pace, onDiskDone }, rest.stop));
  } finally {
    endReading();
    diskMs = endTurn();
  }
  const filledAside = diskDoneMs !== undefined;
  const elapsedMs = (diskDoneMs ?? systemClock.monotonicMs()) - beganMs;
  const readBlocks = step.bytes / context.blockBytes;
  const sparedMs = pace === undefined ? 0 : sparedBy(pace, { elapsedMs, readBlocks }, context);
  if (blocks > 0 && rest.learns && sparedMs === 0)
    device.learn(filledAside ? { ...step, secondPassBytes: 0 } : step, diskMs);
  if (step.tier === 'pool') context.place.spend(blocks);
  // Not awaited: the decision uses the newest look there is, at most about half a second old.
  void watch.look();
  const held = await holdBack(context, { ...rest, chunkMs: diskMs });
  const throttledMs = { ...(sparedMs > 0 ? { residents_read: sparedMs } : {}), ...held };
  context.onStep({ step, blocks, throttledMs });
}

/** A step that took so many times as long as its pace found the disk slower than that, and tells how slow. */
const behindPace = 1.25;

/** What the disk was left of the time of a step; 0 where it could not keep the pace. */
function sparedBy(
  { msPerBlock }: Pace,
  { elapsedMs, readBlocks }: { readonly elapsedMs: number; readonly readBlocks: number },
  { residentsFraction }: ReadContext,
): number {
  return elapsedMs > behindPace * msPerBlock * readBlocks ? 0 : residentsFraction * elapsedMs;
}
