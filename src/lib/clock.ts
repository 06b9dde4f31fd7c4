import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

/** Time as the rest of Forewarm sees it; tests inject their own. */
export interface Clock {
  /** Wall clock, for what is written into messages. */
  now(): Date;
  /** Milliseconds that never go back, for durations. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    if (signal?.aborted) return;
    await delay(Math.max(0, ms), undefined, signal === undefined ? {} : { signal }).catch(() => {});
  },
};

/** Wall clock in milliseconds with fractions, the same in all processes of a machine but for adjustments since their start. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}
