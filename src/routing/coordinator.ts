import type { FollowRoute } from '../broker/route-feed.ts';
import { systemClock } from '../lib/clock.ts';
import { within } from '../lib/within.ts';
import { Checkouts, type QueueRules } from './checkouts.ts';
import type { Driver } from './driver.ts';
import type { SwitchSettings } from './options.ts';
import type { PoolRoute, Report } from './report.ts';
import { RetryPause } from './retry-pause.ts';
import { Switching } from './switching.ts';
import { Tenure, type TenureEvents } from './tenure.ts';
import { Wanted } from './wanted.ts';

export interface CoordinatorOptions<C extends object> {
  readonly driver: Driver<C>;
  readonly settings: SwitchSettings;
  readonly rules: QueueRules;
  readonly report: Report;
  /** Follows the VM's route. */
  readonly follow: FollowRoute;
}

/** After a swap the new replica is asked this often whether it is well, as long as the old one is drained. */
const checkEveryMs = 1_000;
/** Pause behind switches that newer routes overtook, so that a storm of routes is none of connections. */
const overtakenMs = { firstMs: 50, maxMs: 1_000 } as const;
/** Longest that the end of a pool waits for NATS. */
const natsCloseMs = 2_000;

/**
 * Keeps a pool where its VM's route points to. One loop compares where the pool is with where it should be, and
 * makes one switch at a time; whatever happens meanwhile only changes what the loop sees next.
 */
export class Coordinator<C extends object> {
  readonly checkouts: Checkouts<C>;
  readonly #options: CoordinatorOptions<C>;
  readonly #ended = new AbortController();
  readonly #draining = new Map<Switching<C>, Promise<void>>();
  readonly #pause: RetryPause;
  readonly #fallbackPause: RetryPause;
  readonly #overtakenPause = new RetryPause(overtakenMs);
  readonly #wanted: Wanted;
  readonly #loop: Promise<void>;
  readonly #feed: Promise<void>;
  #wake = new AbortController();
  #current: Tenure<C> | undefined;
  /** Where the pool was before; it goes back there when the current one fails. */
  #previous: string;
  #newest: Switching<C> | undefined;
  /** Ends the switch that is being prepared. */
  #preparing:
    | { readonly to: string; readonly fallback: boolean; readonly abort: AbortController }
    | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Those who wait for a fallback. */
  #stranded: ((again: boolean) => void)[] = [];
  #suspecting = false;
  #end: Promise<void> | undefined;

  constructor(options: CoordinatorOptions<C>) {
    this.#options = options;
    const { settings } = options;
    this.#previous = settings.defaultReplica;
    this.#wanted = new Wanted(settings, options.report, {
      changed: () => this.#routeChanged(),
      whereItIs: () => this.#current?.replica ?? settings.defaultReplica,
    });
    this.#pause = new RetryPause(settings.retry);
    this.#fallbackPause = new RetryPause(settings.retry);
    this.checkouts = new Checkouts<C>(options.rules, {
      openFailed: (tenure, error) => this.#openFailed(tenure, error),
    });
    const { listener } = this.#wanted;
    this.#feed = options.follow(listener, this.#ended.signal).catch((error) => listener.lost(error));
    this.#loop = this.#run();
  }

  get route(): PoolRoute {
    return {
      vm: this.#options.settings.vm,
      replica: this.#current?.replica ?? this.#wanted.replica,
      wanted: this.#wanted.replica,
      epoch: this.#wanted.epoch,
      phase: this.#newest?.phase ?? null,
    };
  }

  get hasEnded(): boolean {
    return this.#ended.signal.aborted;
  }

  /** Stops switching and ends all connections, as the driver's own pool ends; waiting checkouts are refused. */
  end(): Promise<void> {
    this.#end ??= this.#endAll();
    return this.#end;
  }

  async #endAll(): Promise<void> {
    this.#ended.abort(new Error('the pool has ended'));
    this.#preparing?.abort.abort(this.#ended.signal.reason);
    this.#wake.abort();
    this.checkouts.close();
    this.#unstrand(false);
    await this.#loop;
    const ending = [...this.#draining].map(([switching, drained]) => {
      void switching.plan.from.end().catch(() => {});
      return drained;
    });
    const results = await Promise.allSettled([
      this.#current?.end(),
      ...ending,
      within('closing NATS', this.#feed, { ms: natsCloseMs }).catch(() => {}),
    ]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #routeChanged(): void {
    if (this.hasEnded) return;
    this.#pause.reset();
    const { replica, epoch } = this.#wanted;
    const { fallback = true, to, abort } = this.#preparing ?? {};
    if (!fallback && to !== replica) abort?.abort(new Error(`epoch ${epoch} leads to ${replica}`));
    this.#wake.abort();
  }

  async #run(): Promise<void> {
    const { settings, report } = this.#options;
    const { signal } = this.#ended;
    await systemClock.sleep(settings.startMs, AbortSignal.any([this.#wanted.heard, signal]));
    if (signal.aborted) return;
    const start = this.#wanted.isKnown ? this.#wanted.replica : settings.defaultReplica;
    this.#current = this.#tenure(start);
    this.checkouts.use(this.#current);
    report.notice('started', `the pool begins at ${start}`);
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const next = this.#next();
      if (next === undefined) {
        if (!this.#willFollow()) {
          this.#unstrand(false);
          this.#failure = undefined;
        }
        // The end of the pool wakes it too.
        await sleepUntil(this.#isWanted() ? this.#leftMs : undefined, this.#wake.signal);
      } else {
        await this.#switch(next.to, next.fallback, signal);
      }
    }
  }

  /** Where to go now; undefined when the pool is where it should be, or must wait. */
  #next(): { readonly to: string; readonly fallback: boolean } | undefined {
    // Away from a failing replica by the route is better than by guess.
    if (this.#mayFollow()) return { to: this.#wanted.replica, fallback: false };
    if (this.#failure !== undefined && this.#mayFallBack()) return { to: this.#previous, fallback: true };
    return undefined;
  }

  #mayFollow(): boolean {
    return this.#isWanted() && this.#leftMs <= 0;
  }

  /** Now, or as soon as the routes are calm. */
  #willFollow(): boolean {
    return this.#isWanted() && this.#pause.leftMs <= 0;
  }

  /** Until the route may be followed. */
  get #leftMs(): number {
    return Math.max(this.#pause.leftMs, this.#overtakenPause.leftMs);
  }

  #mayFallBack(): boolean {
    return this.#previous !== this.#current?.replica && this.#fallbackPause.leftMs <= 0;
  }

  #isWanted(): boolean {
    return this.#wanted.isKnown && this.#wanted.replica !== this.#current?.replica;
  }

  async #switch(to: string, fallback: boolean, ended: AbortSignal): Promise<void> {
    const { report } = this.#options;
    const from = this.#current!;
    const abort = new AbortController();
    this.#preparing = { to, fallback, abort };
    if (ended.aborted) abort.abort(ended.reason);
    const fled = this.#newest;
    const switching = new Switching<C>(
      { ...this.#options, checkouts: this.checkouts },
      { from, to, epoch: this.#wanted.epoch, fallback, events: (tenure) => this.#events(tenure) },
    );
    this.#newest = switching;
    try {
      const reason = this.#failure?.error;
      this.#current = await switching.swap(abort.signal);
      this.#overtakenPause.reset();
      this.#previous = from.replica;
      this.#failure = undefined;
      if (fallback) {
        fled?.fallBack(messageOf(reason));
        this.#pause.failed();
        this.#fallbackPause.reset();
      } else {
        this.#pause.succeeded();
      }
      const drained = switching.drain().finally(() => this.#draining.delete(switching));
      this.#draining.set(switching, drained);
      void this.#watch(switching);
      this.#unstrand(true);
    } catch (error) {
      if (abort.signal.aborted) {
        this.#overtakenPause.failed();
      } else if (fallback) {
        // Nowhere to go: those who wait are told so, and one who comes after the pause asks again.
        this.#fallbackPause.failed();
        this.#failure = undefined;
        this.#unstrand(false);
      } else {
        this.#pause.failed();
        report.count('retries');
        const inMs = Math.round(this.#pause.leftMs);
        report.notice(
          'retry',
          `staying at ${from.replica}: ${messageOf(error)}; next try in ${inMs} ms`,
          error,
        );
      }
    } finally {
      this.#preparing = undefined;
    }
  }

  /** As long as the old replica is there to go back to, the new one is asked whether it is well. */
  async #watch(switching: Switching<C>): Promise<void> {
    for (;;) {
      await systemClock.sleep(checkEveryMs, this.#ended.signal);
      if (this.hasEnded || switching.phase !== 'post' || this.#newest !== switching) return;
      try {
        await switching.check();
      } catch (error) {
        if (switching.phase === 'post' && this.#current?.replica === switching.plan.to) this.#fail(error);
      }
    }
  }

  #openFailed(tenure: Tenure<C>, error: unknown): Promise<boolean> {
    if (this.hasEnded) return Promise.resolve(false);
    if (tenure !== this.#current) return Promise.resolve(true);
    const elsewhere = this.#preparing !== undefined || this.#willFollow() || this.#mayFallBack();
    if (!elsewhere) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#stranded.push(resolve);
      this.#fail(error);
    });
  }

  /** An idle connection may be ended for many reasons; whether the server is well it can say itself. */
  async #suspect(tenure: Tenure<C>, error: unknown): Promise<void> {
    if (this.#suspecting || tenure !== this.#current || !this.#mayFallBack()) return;
    this.#suspecting = true;
    try {
      (await this.#options.driver.probe(tenure.replica)).close();
    } catch {
      if (tenure === this.#current) this.#fail(error);
    } finally {
      this.#suspecting = false;
    }
  }

  #fail(error: unknown): void {
    if (this.#failure === undefined) {
      const replica = this.#current?.replica;
      this.#options.report.notice('replica failing', `${replica} fails: ${messageOf(error)}`, error);
    }
    this.#failure = { error };
    this.#wake.abort();
  }

  #unstrand(again: boolean): void {
    for (const resolve of this.#stranded.splice(0)) resolve(again);
  }

  #tenure(replica: string): Tenure<C> {
    const tenure: Tenure<C> = new Tenure(
      this.#options.driver,
      replica,
      this.#events(() => tenure),
    );
    return tenure;
  }

  #events(tenure: () => Tenure<C>): TenureEvents {
    return {
      freed: () => {
        const own = tenure();
        // The hold must begin before whoever released can take another connection.
        for (const switching of new Set([...this.#draining.keys(), this.#newest]))
          if (switching?.plan.from === own) switching.oldFreed();
        // The driver's pool has it back only after this returns.
        queueMicrotask(() => this.checkouts.pump());
      },
      broke: (error) => void this.#suspect(tenure(), error),
    };
  }
}

async function sleepUntil(ms: number | undefined, signal: AbortSignal): Promise<void> {
  if (ms !== undefined) {
    await systemClock.sleep(ms, signal);
  } else if (!signal.aborted) {
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
