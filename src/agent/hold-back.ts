import { systemClock } from '../lib/clock.ts';
import { estimateMs } from '../planning/cost-model.ts';
import { decideThrottle, type Felt, type ThrottleReason } from '../planning/throttle.ts';
import type { ReadContext } from './read-plan.ts';
import type { ServerWatch } from './server-watch.ts';

/** How long reading was held back, and for what. */
export type Throttled = Partial<Record<ThrottleReason, number>>;

/** Longest stretch of a pause before residents are looked at again. */
const pauseSliceMs = 500;

/** Waits as the throttle decides, no longer than residents suffer: each stretch ends with a look and a new decision. */
export async function holdBack(
  context: ReadContext,
  step: { readonly stop: AbortSignal; readonly remainingBytes: number; readonly chunkMs: number },
): Promise<Throttled> {
  const { watch, trial } = context;
  let throttledMs = 0;
  let reason: ThrottleReason | undefined;
  let felt = feltBy(watch);
  for (;;) {
    const decision = decideThrottle({
      ...felt,
      ...urgency(context, step.remainingBytes),
      baselineLatencyMs: watch.usual?.latencyMs ?? null,
      cause: trial.cause,
      nowMs: systemClock.monotonicMs(),
      lagMs: watch.health?.lagMs ?? null,
      lagLimitMs: context.maxLagMs,
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
      return throttledMs > 0 ? { [reason]: throttledMs } : {};
    const sliceMs = Math.min(leftMs, pauseSliceMs);
    await systemClock.sleep(sliceMs, step.stop);
    throttledMs += sliceMs;
    await watch.look();
    felt = feltBy(watch);
  }
}

/** How much hurry there is for what is left to read. */
export function urgency({ deadlineMs, device, arrived }: ReadContext, remainingBytes: number) {
  return {
    untilDeadlineMs: deadlineMs === null ? null : deadlineMs - Date.now(),
    remainingMs: estimateMs(device.model, 0, remainingBytes),
    arrived: arrived(),
  };
}

function feltBy({ whileWarming, health }: ServerWatch): Felt {
  const { latencyMs, statements } = whileWarming;
  return { latencyMs, statements, active: health?.active ?? 0, ioWaiting: health?.ioWaiting ?? 0 };
}
