import { within } from '../lib/within.ts';
import type { Driver, Probe } from './driver.ts';

/** Rejects with `database_unreachable` after the bound or when the signal aborts; a probe that comes later is closed. */
export async function openProbe<C>(
  driver: Driver<C>,
  replica: string,
  bound: { readonly ms: number; readonly signal?: AbortSignal },
): Promise<Probe> {
  let late = false;
  const opening = driver.probe(replica);
  opening.then(
    (probe) => {
      if (late) probe.close();
    },
    () => {},
  );
  try {
    return await within(`connecting to ${replica}`, opening, { ...bound, code: 'database_unreachable' });
  } catch (error) {
    late = true;
    throw error;
  }
}

/** Ends sessions of connections that were cut off, over a connection of its own; best effort. Never rejects. */
export async function endSessions<C>(
  driver: Driver<C>,
  replica: string,
  cut: { readonly ids: readonly number[]; readonly ms: number },
): Promise<void> {
  const probe = await openProbe(driver, replica, { ms: cut.ms }).catch(() => undefined);
  if (probe === undefined) return;
  const ending = Promise.allSettled(cut.ids.map((id) => probe.kill(id)));
  await within(`ending sessions of ${replica}`, ending, { ms: cut.ms }).catch(() => {});
  probe.close();
}

/** The work's result, or a rejection as soon as the signal aborts; the work itself may go on. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  work.catch(() => {});
  signal.throwIfAborted();
  const done = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    done.abort();
  }
}
