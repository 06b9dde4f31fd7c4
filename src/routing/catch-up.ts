import { systemClock } from '../lib/clock.ts';
import { within } from '../lib/within.ts';
import type { Probe } from './driver.ts';

/** Whether a replica shows what the application may have seen elsewhere. */
export type Verdict =
  | { readonly is: 'caught up' }
  /** It lags: `why` says since how long it was waited. */
  | { readonly is: 'behind'; readonly why: string }
  /** It cannot be told. */
  | { readonly is: 'unknown'; readonly why: string }
  /** The old replica cannot be asked any more. */
  | { readonly is: 'old is gone'; readonly why: string };

const pollMs = { first: 2, last: 100 } as const;

/**
 * Asks the old replica what may have been seen there until now, and waits until the new one shows it, `limitMs`
 * in all. Rejects when the new one cannot be asked, or the signal aborts.
 */
export async function catchUp(
  from: Probe,
  to: Probe,
  options: { readonly limitMs: number; readonly signal?: AbortSignal },
): Promise<Verdict> {
  const { signal, limitMs } = options;
  const endMs = systemClock.monotonicMs() + limitMs;
  const bounded = <T>(what: string, work: Promise<T>) =>
    within(what, work, {
      // One look is always allowed for.
      ms: Math.max(50, endMs - systemClock.monotonicMs()),
      code: 'database_unreachable',
      ...(signal === undefined ? {} : { signal }),
    });
  let position: unknown;
  try {
    position = await bounded('the old replica, asked for its position', from.position());
  } catch (error) {
    signal?.throwIfAborted();
    return { is: 'old is gone', why: (error as Error).message };
  }
  for (let delayMs: number = pollMs.first; ; delayMs = Math.min(pollMs.last, delayMs * 1.5)) {
    const shown = await bounded('the new replica, asked for its position', to.shows(position));
    if (shown.is === 'yes') return { is: 'caught up' };
    if (shown.is === 'unknown') return shown;
    const leftMs = endMs - systemClock.monotonicMs();
    if (leftMs <= 0)
      return { is: 'behind', why: `it does not show after ${limitMs} ms what was seen before` };
    await systemClock.sleep(Math.min(delayMs, leftMs), signal);
    signal?.throwIfAborted();
  }
}
