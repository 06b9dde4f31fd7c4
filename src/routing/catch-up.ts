import { systemClock } from '../lib/clock.ts';
import type { Probe } from './driver.ts';

/** Whether a replica shows what the application may have seen elsewhere. */
export type Verdict =
  | { readonly is: 'caught up' }
  /** It lags, or does not answer in time. */
  | { readonly is: 'behind'; readonly why: string }
  /** It cannot be told. */
  | { readonly is: 'unknown'; readonly why: string }
  /** The old replica cannot be asked any more. */
  | { readonly is: 'old is gone'; readonly why: string }
  /** The old replica has not answered in time. */
  | { readonly is: 'old is silent'; readonly why: string };

const pollMs = { first: 2, last: 100 } as const;

/**
 * Asks the old replica what may have been seen there until now, and waits until the new one shows it, `limitMs`
 * in all. Rejects when the new one refuses to say, or the signal aborts.
 */
export async function catchUp(
  from: Probe,
  to: Probe,
  options: { readonly limitMs: number; readonly signal?: AbortSignal },
): Promise<Verdict> {
  const { signal, limitMs } = options;
  const endMs = systemClock.monotonicMs() + limitMs;
  const inTime = <T>(work: Promise<T>) => unlessLate(work, endMs, signal);
  let position: unknown;
  try {
    position = await inTime(from.position());
  } catch (error) {
    signal?.throwIfAborted();
    return { is: 'old is gone', why: (error as Error).message };
  }
  if (position === late)
    return { is: 'old is silent', why: `the old one has not answered for ${limitMs} ms` };
  for (let delayMs: number = pollMs.first; ; delayMs = Math.min(pollMs.last, delayMs * 1.5)) {
    const shown = await inTime(to.shows(position));
    if (shown === late) return { is: 'behind', why: `it has not answered for ${limitMs} ms` };
    if (shown.is === 'yes') return { is: 'caught up' };
    if (shown.is === 'unknown') return shown;
    const leftMs = endMs - systemClock.monotonicMs();
    if (leftMs <= 0)
      return { is: 'behind', why: `it does not show after ${limitMs} ms what was seen before` };
    await systemClock.sleep(Math.min(delayMs, leftMs), signal);
    signal?.throwIfAborted();
  }
}

const late = Symbol('late');

/** The work's result, or `late`; rejects when the signal aborts. */
async function unlessLate<T>(
  work: Promise<T>,
  endMs: number,
  signal: AbortSignal | undefined,
): Promise<T | typeof late> {
  const done = new AbortController();
  const stop = signal === undefined ? done.signal : AbortSignal.any([done.signal, signal]);
  // One look is always allowed for.
  const leftMs = Math.max(50, endMs - systemClock.monotonicMs());
  work.catch(() => {});
  try {
    const result = await Promise.race([work, systemClock.sleep(leftMs, stop).then(() => late)]);
    signal?.throwIfAborted();
    return result as T | typeof late;
  } finally {
    done.abort();
  }
}
