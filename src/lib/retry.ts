import { type Clock, systemClock } from './clock.ts';

export interface RetryOptions {
  readonly firstDelayMs?: number;
  readonly maxDelayMs?: number;
  /** Tries in all; endless without it. */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** False ends the loop with that error. */
  readonly retryable?: (error: unknown) => boolean;
  readonly onRetry?: (error: unknown, delayMs: number) => void;
}

/**
 * The one retry loop: exponential back-off with full jitter on the upper half.
 * Rejects with the last error when attempts end, the error is not retryable, or the signal aborts.
 */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { firstDelayMs = 100, maxDelayMs = 5_000, attempts = Number.POSITIVE_INFINITY } = options;
  const clock = options.clock ?? systemClock;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const last = attempt >= attempts || options.signal?.aborted || options.retryable?.(error) === false;
      if (last) throw error;
      const ceilingMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
      const delayMs = ceilingMs * (0.5 + Math.random() / 2);
      options.onRetry?.(error, delayMs);
      await clock.sleep(delayMs, options.signal);
      if (options.signal?.aborted) throw error;
    }
  }
}
