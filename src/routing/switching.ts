import { systemClock } from '../lib/clock.ts';
import { within } from '../lib/within.ts';
import { unlessAborted } from './bounds.ts';
import type { Checkouts } from './checkouts.ts';
import { Comparison } from './comparison.ts';
import type { Driver } from './driver.ts';
import type { SwitchSettings } from './options.ts';
import { type Happening, nextPhase, type Phase } from './phases.ts';
import type { Report } from './report.ts';
import { Tenure, type TenureEvents } from './tenure.ts';

export interface SwitchContext<C extends object> {
  readonly driver: Driver<C>;
  readonly settings: SwitchSettings;
  readonly checkouts: Checkouts<C>;
  readonly report: Report;
}

export interface SwitchPlan<C extends object> {
  readonly from: Tenure<C>;
  readonly to: string;
  readonly epoch: number;
  /** Away from a failing replica: it goes whatever the new one shows. */
  readonly fallback: boolean;
  readonly events: (tenure: () => Tenure<C>) => TenureEvents;
}

/** Connections that are opened at the same time in preparation. */
const openAtOnce = 8;

/** After connections were cut off, they are waited for no longer than this. */
const afterCutMs = 1_000;

/** One switch of a pool from one replica to another, from its preparation to the last old connection's end. */
export class Switching<C extends object> {
  readonly plan: SwitchPlan<C>;
  readonly #context: SwitchContext<C>;
  readonly #comparison: Comparison<C>;
  readonly #startMs = systemClock.monotonicMs();
  #phase: Phase = 'preparation';
  #prepared = 0;
  #cut = 0;
  #next: Tenure<C> | undefined;
  /** Lifts the barrier behind connections that came free at the old replica and were not looked at since. */
  #lift: (() => void) | undefined;
  #looking: Promise<void> | undefined;

  constructor(context: SwitchContext<C>, plan: SwitchPlan<C>) {
    this.#context = context;
    this.plan = plan;
    const { from, to, fallback } = plan;
    this.#comparison = new Comparison<C>({ ...context, from: from.replica, to, fallback });
    this.#tell();
  }

  get phase(): Phase {
    return this.#phase;
  }

  /**
   * Prepares and swaps; resolves with where the pool is then. Rejects when the pool stays where it was, with the
   * reason, or because the signal aborted.
   */
  async swap(signal: AbortSignal): Promise<Tenure<C>> {
    try {
      const next = await unlessAborted(signal, this.#prepare(signal));
      await this.#takeOver(next, signal);
      return next;
    } catch (error) {
      this.#happen(signal.aborted ? 'supersede' : 'fail', (error as Error).message);
      void this.#next?.end().catch(() => {});
      this.#comparison.close();
      throw error;
    }
  }

  /** Drains the old replica's connections, and cuts them off at the limit. Never rejects. */
  async drain(): Promise<void> {
    const { from } = this.plan;
    const inUse = from.leases.length;
    const gone = new AbortController();
    const drained = from.drain().then(() => gone.abort());
    const { drainMs } = this.#context.settings;
    await Promise.race([drained, systemClock.sleep(drainMs, gone.signal)]);
    if (!gone.signal.aborted) await this.#cutOff(drained);
    this.#context.report.count('connectionsDrained', Math.max(0, inUse - this.#cut));
    // The last one that was released is still looked at.
    while (this.#looking !== undefined) await this.#looking;
    this.#comparison.close();
    this.#happen('drained');
  }

  /** Rejects when the new replica, asked again, does not answer. */
  async check(): Promise<void> {
    await this.#comparison.pingNew();
  }

  /** The new replica has failed after the swap. */
  fallBack(reason: string): void {
    this.#happen('fail', reason);
  }

  /**
   * A connection of the old replica was released after the swap: what its user saw there last must be visible
   * at the new one before anybody who comes later gets a connection to it. They wait from now on, not for long.
   */
  oldFreed(): void {
    if (this.#phase !== 'post' || !this.#comparison.isOn) return;
    this.#lift ??= this.#held(this.#context.checkouts.barrier());
    if (this.#looking === undefined) this.#look();
  }

  async #prepare(signal: AbortSignal): Promise<Tenure<C>> {
    const { driver, settings, report } = this.#context;
    const { to, from, fallback } = this.plan;
    await this.#comparison.open(signal);
    if (settings.catchUp !== null && !fallback) {
      const verdict = await this.#comparison.make(settings.catchUp.waitMs, signal);
      signal.throwIfAborted();
      if (verdict.is !== 'caught up') this.#comparison.goAnyway(verdict);
    }
    const next: Tenure<C> = new Tenure(
      driver,
      to,
      this.plan.events(() => next),
    );
    this.#next = next;
    const count = () => {
      const wanted = Math.max(1, from.busyCount, this.#context.checkouts.pendingCount);
      return Math.max(1, Math.min(wanted, settings.prepareMax, next.pool.limit));
    };
    // What became busy in the meantime is opened too.
    for (let round = 0; round < 3 && this.#prepared < count(); round++) {
      const target = count();
      const { warmMs, connectMs } = settings;
      await next.prepare(target, { atOnce: openAtOnce, warmMs, connectMs, signal });
      signal.throwIfAborted();
      report.count('connectionsPrepared', target - this.#prepared);
      this.#prepared = target;
    }
    return next;
  }

  /** Swaps while checkouts are held, which is as long as the new replica needs for the last of what was seen. */
  async #takeOver(next: Tenure<C>, signal: AbortSignal): Promise<void> {
    const { settings, checkouts } = this.#context;
    const endMs = systemClock.monotonicMs() + (settings.catchUp?.waitMs ?? 0);
    for (;;) {
      this.#happen('prepared');
      const release = this.#held(checkouts.hold());
      try {
        const verdict = await this.#comparison.make(settings.holdMs, signal);
        signal.throwIfAborted();
        if (verdict.is !== 'caught up' && !this.plan.fallback) {
          // Old and slow, or behind by a little: once more, with checkouts going on at the old replica.
          const leftMs = Math.max(settings.holdMs, endMs - systemClock.monotonicMs());
          this.#happen('wait');
          release();
          const longer = await this.#comparison.make(leftMs, signal);
          signal.throwIfAborted();
          const late = systemClock.monotonicMs() >= endMs;
          if (longer.is === 'caught up' && !late) continue;
          this.#comparison.goAnyway(longer.is === 'caught up' ? verdict : longer);
          this.#happen('prepared');
        } else if (verdict.is !== 'caught up') {
          this.#comparison.goAnyway(verdict);
        }
        checkouts.use(next);
        this.#happen('swapped');
        return;
      } finally {
        release();
      }
    }
  }

  #look(): void {
    this.#looking = this.#untilAllIsShown().finally(() => {
      this.#looking = undefined;
      // One more may have been released since the last answer.
      if (this.#lift !== undefined) this.#look();
    });
  }

  async #untilAllIsShown(): Promise<void> {
    while (this.#lift !== undefined) {
      const lift = this.#lift;
      this.#lift = undefined;
      try {
        const verdict = await this.#comparison.make(this.#context.settings.holdMs);
        if (verdict.is !== 'caught up') this.#comparison.lacks(verdict);
      } catch {
        // The new replica does not answer: its next checkout says so, and is served elsewhere.
      } finally {
        lift();
      }
    }
  }

  async #cutOff(drained: Promise<void>): Promise<void> {
    const { driver, report, settings } = this.#context;
    const { from } = this.plan;
    const left = from.leases;
    this.#cut = left.length;
    report.count('connectionsCut', left.length);
    const ids = left.map((connection) => driver.sessionId(connection)).filter((id) => id !== null);
    report.notice(
      'cut off',
      `${left.length} connections to ${from.replica} were still in use ${settings.drainMs} ms after the swap`,
    );
    from.pool.cut(left);
    await this.#comparison.endOldSessions(ids);
    // A driver may count a connection until its user releases it, which may be never.
    await within('cutting off', drained, { ms: afterCutMs }).catch(() => {});
  }

  /** Counts how long checkouts were held. */
  #held(lift: () => void): () => void {
    const startMs = systemClock.monotonicMs();
    let isOver = false;
    return () => {
      if (!isOver) this.#context.report.held(systemClock.monotonicMs() - startMs);
      isOver = true;
      lift();
    };
  }

  #happen(happening: Happening, reason?: string): void {
    const next = nextPhase(this.#phase, happening);
    if (next === null) return;
    this.#phase = next;
    this.#tell(reason);
  }

  #tell(reason?: string): void {
    const { from, to, epoch, fallback } = this.plan;
    this.#context.report.phase({
      phase: this.#phase,
      from: from.replica,
      to,
      epoch,
      fallback,
      sinceStartMs: Math.round(systemClock.monotonicMs() - this.#startMs),
      prepared: this.#prepared,
      cut: this.#cut,
      ...(reason === undefined ? {} : { reason }),
    });
  }
}
