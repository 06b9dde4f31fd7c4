import type { Broker } from '../broker/broker.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { retry } from '../lib/retry.ts';
import type { MigrationRecord } from '../messages/record.ts';
import { MigrationWaiter, type WaitProgress, type WaitVerdict } from './migration-waiter.ts';

export interface WaitResult {
  readonly verdict: Exclude<WaitVerdict, { kind: 'waiting' }> | { readonly kind: 'interrupted' };
  readonly record: MigrationRecord | undefined;
}

/**
 * Waits until a migration is ready, over, or its deadline is there. The deadline is a timer of its own
 * and does not depend on anything that NATS delivers; a watch that breaks is opened again.
 */
export async function awaitReady(options: {
  readonly broker: Pick<Broker, 'records' | 'events'>;
  readonly id: string;
  /** Milliseconds from now. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: WaitProgress) => void;
  readonly clock?: Clock;
}): Promise<WaitResult> {
  const { broker, id, onProgress } = options;
  const clock = options.clock ?? systemClock;
  const deadlineMs = clock.monotonicMs() + options.waitMs;
  const waiter = new MigrationWaiter(deadlineMs);
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const look = () => {
    onProgress?.(waiter.progress());
    if (waiter.verdict(clock.monotonicMs()).kind !== 'waiting') over.abort();
  };
  const until = async (work: () => Promise<void>) => {
    while (!signal.aborted) {
      await retry(work, { signal }).catch(() => {});
      await clock.sleep(100, signal);
    }
  };
  // Not awaited: a watch on a lost connection may not end when told to.
  void until(async () => {
    for await (const { stored } of broker.records.watch(id, signal)) {
      if (signal.aborted) return;
      if (stored !== null) waiter.seeRecord(stored.value);
      look();
    }
  });
  void until(async () => {
    for await (const event of broker.events.of(id, { follow: true, signal })) {
      if (signal.aborted) return;
      waiter.seeEvent(event);
      look();
    }
  });
  await clock.sleep(options.waitMs, signal);
  over.abort();
  const verdict = waiter.verdict(Math.max(clock.monotonicMs(), deadlineMs));
  const record = waiter.record;
  if (verdict.kind === 'waiting' || (options.signal.aborted && verdict.kind === 'deadline')) {
    return { verdict: { kind: 'interrupted' }, record };
  }
  return { verdict, record };
}
