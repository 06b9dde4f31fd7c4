import { systemClock } from '../lib/clock.ts';
import { within } from '../lib/within.ts';
import { catchUp, type Verdict } from './catch-up.ts';
import type { Checkouts } from './checkouts.ts';
import type { Driver, Probe } from './driver.ts';
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
  readonly #startMs = systemClock.monotonicMs();
  #phase: Phase = 'preparation';
  #prepared = 0;
  #cut = 0;
  #next: Tenure<C> | undefined;
  #old: Probe | undefined;
  #new: Probe | undefined;
  #comparable = true;
  /** Connections came free at the old replica that nobody has looked at since. */
  #unseen = false;
  #looking = false;

  constructor(context: SwitchContext<C>, plan: SwitchPlan<C>) {
    this.#context = context;
    this.plan = plan;
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
      this.#closeProbes();
      throw error;
    }
  }

  /** Drains the old replica's connections, and cuts them off at the limit. Never rejects. */
  async drain(): Promise<void> {
    const { from } = this.plan;
    const gone = new AbortController();
    const drained = from.drain().then(() => gone.abort());
    const { drainMs } = this.#context.settings;
    await Promise.race([drained, systemClock.sleep(drainMs, gone.signal)]);
    if (!gone.signal.aborted) await this.#cutOff(drained);
    this.#closeProbes();
    this.#happen('drained');
  }

  /** Rejects when the new replica, asked again, does not answer. */
  async check(): Promise<void> {
    const { connectMs } = this.#context.settings;
    if (this.#new !== undefined) {
      await within(`${this.plan.to}, after the swap`, this.#new.ping(), {
        ms: connectMs,
        code: 'database_unreachable',
      });
    }
  }

  /** The new replica has failed after the swap. */
  fallBack(reason: string): void {
    this.#happen('fail', reason);
  }

  /**
   * A connection of the old replica was released after the swap: what its user saw there last must be visible
   * at the new one before anybody gets a connection to it. Holds checkouts at once, and not for long.
   */
  oldFreed(): void {
    if (this.#phase !== 'post' || !this.#comparable) return;
    this.#unseen = true;
    if (!this.#looking) void this.#lookAgain();
  }

  async #prepare(signal: AbortSignal): Promise<Tenure<C>> {
    const { driver, settings, report } = this.#context;
    const { to, from, fallback } = this.plan;
    const { connectMs, holdMs } = settings;
    // Of a failing replica nothing much is expected: those who wait for the fallback wait for this too.
    const oldMs = fallback ? Math.min(holdMs, connectMs) : connectMs;
    const comparing =
      settings.catchUp === null
        ? undefined
        : openProbe(driver, from.replica, { ms: oldMs, signal }).catch(() => undefined);
    const target = await openProbe(driver, to, { ms: connectMs, signal }).catch(async (error) => {
      (await comparing)?.close();
      throw error;
    });
    // An end in between has closed nothing yet.
    this.#new = target;
    this.#old = await comparing;
    if (signal.aborted) this.#closeProbes();
    signal.throwIfAborted();
    if (settings.catchUp !== null && !fallback) {
      const verdict = await this.#compare(settings.catchUp.waitMs, signal);
      signal.throwIfAborted();
      if (verdict.is !== 'caught up') this.#goAnyway(verdict);
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
      await next.prepare(target, { atOnce: openAtOnce, signal });
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
      const release = this.#hold();
      try {
        const verdict = await this.#compare(settings.holdMs, signal);
        signal.throwIfAborted();
        if (verdict.is !== 'caught up' && !this.plan.fallback) {
          // Old and slow, or behind by a little: once more, with checkouts going on at the old replica.
          const leftMs = Math.max(settings.holdMs, endMs - systemClock.monotonicMs());
          this.#happen('wait');
          release();
          const longer = await this.#compare(leftMs, signal);
          signal.throwIfAborted();
          const late = systemClock.monotonicMs() >= endMs;
          if (longer.is === 'caught up' && !late) continue;
          this.#goAnyway(longer.is === 'caught up' ? verdict : longer);
          this.#happen('prepared');
        } else if (verdict.is !== 'caught up') {
          this.#goAnyway(verdict);
        }
        checkouts.use(next);
        this.#happen('swapped');
        return;
      } finally {
        release();
      }
    }
  }

  async #compare(limitMs: number, signal?: AbortSignal): Promise<Verdict> {
    if (this.#context.settings.catchUp === null || !this.#comparable || this.#new === undefined)
      return { is: 'caught up' };
    if (this.#old === undefined)
      return { is: 'old is gone', why: `${this.plan.from.replica} does not answer` };
    return await catchUp(this.#old, this.#new, { limitMs, ...(signal === undefined ? {} : { signal }) });
  }

  /** By policy; throws where the pool is to stay. From here on nothing is compared any more. */
  #goAnyway(verdict: Exclude<Verdict, { is: 'caught up' }>): void {
    const { from, to, fallback } = this.plan;
    const stay = this.#context.settings.catchUp?.otherwise === 'stay';
    if (stay && !fallback && verdict.is !== 'old is gone') {
      throw new Error(`${to} cannot take over from ${from.replica} yet: ${verdict.why}`);
    }
    this.#comparable = false;
    this.#context.report.count('behind');
    this.#context.report.notice(
      'behind',
      `switching to ${to} although it may not show all that was seen on ${from.replica}: ${verdict.why}`,
    );
  }

  async #lookAgain(): Promise<void> {
    this.#looking = true;
    const release = this.#hold();
    try {
      while (this.#unseen && this.#comparable && this.#phase === 'post') {
        this.#unseen = false;
        const leftMs = this.#context.settings.holdMs - this.#context.checkouts.heldMs;
        if (leftMs <= 0) return;
        const verdict = await this.#compare(leftMs);
        if (verdict.is !== 'caught up') return;
      }
    } catch {
      // The new replica does not answer: its next checkout says so, and is served elsewhere.
    } finally {
      release();
      this.#looking = false;
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
    const bound = { ms: settings.connectMs };
    const old = this.#old ?? (await openProbe(driver, from.replica, bound).catch(() => undefined));
    this.#old = old;
    const killed = Promise.allSettled(ids.map(async (id) => await old?.kill(id)));
    await within('cutting off', killed, { ms: settings.connectMs }).catch(() => {});
    // A driver may count a connection until its user releases it, which may be never.
    await within('cutting off', drained, { ms: afterCutMs }).catch(() => {});
  }

  #hold(): () => void {
    const { checkouts, report } = this.#context;
    const release = checkouts.hold();
    return () => {
      report.held(checkouts.heldMs);
      release();
    };
  }

  #closeProbes(): void {
    this.#old?.close();
    this.#new?.close();
    this.#old = undefined;
    this.#new = undefined;
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

/** A probe that comes too late is closed. */
async function openProbe<C>(
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

async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
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
