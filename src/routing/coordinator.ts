import type { RouteListener } from '../broker/route-feed.ts';
import { systemClock } from '../lib/clock.ts';
import { within } from '../lib/within.ts';
import type { Route } from '../messages/route.ts';
import { Checkouts, type QueueRules } from './checkouts.ts';
import type { Driver } from './driver.ts';
import type { SwitchSettings } from './options.ts';
import type { PoolRoute, Report } from './report.ts';
import { RetryPause } from './retry-pause.ts';
import { Switching } from './switching.ts';
import { Tenure, type TenureEvents } from './tenure.ts';

export interface CoordinatorOptions<C extends object> {
  readonly driver: Driver<C>;
  readonly settings: SwitchSettings;
  readonly rules: QueueRules;
  readonly report: Report;
  /** Follows the VM's route until the signal aborts. */
  readonly follow: (listener: RouteListener, signal: AbortSignal) => Promise<void>;
}

/** After a swap the new replica is asked this often whether it is well, as long as the old one is drained. */
const checkEveryMs = 1_000;
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
  readonly #loop: Promise<void>;
  readonly #feed: Promise<void>;
  #wake = new AbortController();
  #current: Tenure<C> | undefined;
  /** Where the pool was before; it goes back there when the current one fails. */
  #previous: string;
  #wanted: string;
  #epoch = 0;
  #newest: Switching<C> | undefined;
  /** Ends the switch that is being prepared. */
  #preparing:
    | { readonly to: string; readonly fallback: boolean; readonly abort: AbortController }
    | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Those who wait for a fallback. */
  #stranded: ((again: boolean) => void)[] = [];
  #suspecting = false;
  #natsIsLost = false;
  #begun = false;
  #end: Promise<void> | undefined;

  constructor(options: CoordinatorOptions<C>) {
    this.#options = options;
    const { settings } = options;
    this.#previous = settings.defaultReplica;
    this.#wanted = settings.defaultReplica;
    this.#pause = new RetryPause(settings.retry);
    this.checkouts = new Checkouts<C>(options.rules, {
      openFailed: (tenure, error) => this.#openFailed(tenure, error),
    });
    const first = new AbortController();
    const listener = this.#listener(first);
    this.#feed = options.follow(listener, this.#ended.signal).catch((error) => listener.lost(error));
    this.#loop = this.#run(first.signal);
  }

  get route(): PoolRoute {
    return {
      vm: this.#options.settings.vm,
      replica: this.#current?.replica ?? this.#wanted,
      wanted: this.#wanted,
      epoch: this.#epoch,
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

  #listener(first: AbortController): RouteListener {
    const { report } = this.#options;
    const heard = () => {
      if (this.#natsIsLost) report.notice('nats back', 'NATS tells routes again');
      this.#natsIsLost = false;
      first.abort();
    };
    return {
      route: (route) => {
        this.#routed(route);
        heard();
      },
      current: heard,
      lost: (error) => {
        if (!this.#natsIsLost) {
          report.count('natsLost');
          const where = this.#begun ? this.route.replica : this.#options.settings.defaultReplica;
          report.notice('nats lost', `NATS does not tell routes; the pool stays at ${where}`, error);
        }
        this.#natsIsLost = true;
        first.abort();
      },
    };
  }

  #routed({ replica, epoch }: Route): void {
    const { report, settings } = this.#options;
    if (this.hasEnded || (epoch === this.#epoch && replica === this.#wanted)) return;
    if (epoch <= this.#epoch) {
      report.count('epochsIgnored');
      report.notice('epoch ignored', `a route to ${replica} has epoch ${epoch}, after ${this.#epoch}`);
      return;
    }
    this.#epoch = epoch;
    this.#wanted = replica;
    if (!settings.replicas.has(replica)) {
      report.notice(
        'replica unknown',
        `the route of ${settings.vm} leads to ${replica}, which is not among the pool's replicas: it stays at ${this.#current?.replica ?? settings.defaultReplica}`,
      );
    }
    this.#pause.reset();
    const { fallback = true, to, abort } = this.#preparing ?? {};
    if (!fallback && to !== replica) abort?.abort(new Error(`epoch ${epoch} leads to ${replica}`));
    this.#wake.abort();
  }

  async #run(first: AbortSignal): Promise<void> {
    const { settings, report } = this.#options;
    const { signal } = this.#ended;
    await systemClock.sleep(settings.startMs, AbortSignal.any([first, signal]));
    if (signal.aborted) return;
    const start = settings.replicas.has(this.#wanted) ? this.#wanted : settings.defaultReplica;
    this.#current = this.#tenure(start);
    this.#begun = true;
    this.checkouts.use(this.#current);
    report.notice('started', `the pool begins at ${start}`);
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const next = this.#next();
      if (next === undefined) {
        this.#unstrand(false);
        this.#failure = undefined;
        const waitMs = this.#isWanted() ? this.#pause.leftMs : undefined;
        await sleepUntil(waitMs, AbortSignal.any([this.#wake.signal, signal]));
      } else {
        await this.#switch(next.to, next.fallback, signal);
      }
    }
  }

  /** Where to go now; undefined when the pool is where it should be, or must wait. */
  #next(): { readonly to: string; readonly fallback: boolean } | undefined {
    const wanted = this.#isWanted();
    // Away from a failing replica by the route is better than by guess.
    if (wanted && this.#pause.leftMs <= 0) return { to: this.#wanted, fallback: false };
    if (this.#failure !== undefined && this.#previous !== this.#current?.replica)
      return { to: this.#previous, fallback: true };
    return undefined;
  }

  #isWanted(): boolean {
    return this.#wanted !== this.#current?.replica && this.#options.settings.replicas.has(this.#wanted);
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
      { from, to, epoch: this.#epoch, fallback, events: (tenure) => this.#events(tenure) },
    );
    this.#newest = switching;
    try {
      const reason = this.#failure?.error;
      this.#current = await switching.swap(abort.signal);
      this.#previous = from.replica;
      this.#failure = undefined;
      if (fallback) {
        fled?.fallBack(messageOf(reason));
        this.#pause.failed();
      } else {
        this.#pause.succeeded();
      }
      const drained = switching.drain().finally(() => this.#draining.delete(switching));
      this.#draining.set(switching, drained);
      void this.#watch(switching);
      this.#unstrand(true);
    } catch (error) {
      if (!abort.signal.aborted && fallback) {
        // Nowhere to go: those who wait are told so, and the next one asks again.
        this.#failure = undefined;
        this.#unstrand(false);
      } else if (!abort.signal.aborted) {
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
    const elsewhere = this.#previous !== tenure.replica || this.#isWanted();
    if (!elsewhere) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#stranded.push(resolve);
      this.#fail(error);
    });
  }

  /** An idle connection may be ended for many reasons; whether the server is well it can say itself. */
  async #suspect(tenure: Tenure<C>, error: unknown): Promise<void> {
    if (this.#suspecting || tenure !== this.#current || this.#previous === tenure.replica) return;
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
        for (const switching of this.#draining.keys()) if (switching.plan.from === own) switching.oldFreed();
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
