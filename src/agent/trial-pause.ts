import type { ServerHealth } from '../engines/engine.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { type Cause, defaultThrottleOptions, type Felt } from '../planning/throttle.ts';
import { judgeTrial } from '../planning/throttle-cause.ts';
import { loadBetween, type ServerWatch } from './server-watch.ts';

/** Longest wait for steps that are at the disk already, and for enough statements of residents without any. */
const drainMs = 1_500;
const mostMs = 1_000;
/** What residents began while there was reading ends meanwhile. */
const settleMs = 50;
const leastMs = 150;
const lookEveryMs = 75;

/**
 * Stops the reading of all migrations at a server for a moment, to see whether its residents fare better for it. What
 * the newest of these trials told is `cause`.
 */
export class TrialPause {
  readonly #watch: ServerWatch;
  readonly #logger: Logger;
  readonly #clock: Clock;
  #cause: Cause | null = null;
  #reading = 0;
  #onIdle: (() => void) | null = null;
  #trial: Promise<void> | null = null;

  constructor(watch: ServerWatch, logger: Logger, clock: Clock = systemClock) {
    this.#watch = watch;
    this.#logger = logger;
    this.#clock = clock;
  }

  get cause(): Cause | null {
    return this.#cause;
  }

  /** Resolves when the trial that is under way is over; null where none is: steps may begin. */
  get underWay(): Promise<void> | null {
    return this.#trial;
  }

  /** Call when a step of reading begins; the returned function when it ends. */
  reading(): () => void {
    this.#reading += 1;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#reading -= 1;
      if (this.#reading === 0) this.#onIdle?.();
    };
  }

  /** Makes a trial because of what residents feel, or joins the one that is under way. Takes 2.5 s at most; never rejects. */
  run(felt: Felt): Promise<void> {
    this.#trial ??= this.#try(felt).finally(() => {
      this.#trial = null;
    });
    return this.#trial;
  }

  async #try(felt: Felt): Promise<void> {
    const resting = (await this.#idle()) ? await this.#rest() : null;
    const endedMs = this.#clock.monotonicMs();
    const baselineLatencyMs = this.#watch.usual?.latencyMs ?? null;
    this.#cause = judgeTrial(this.#cause, { baselineLatencyMs, reading: felt, resting, endedMs });
    this.#logger.debug(
      { usualMs: baselineLatencyMs, reading: felt, resting, lies: this.#cause.lies },
      'reading stopped for a moment, to see why residents are slow',
    );
  }

  /** False when a step did not come to its end in time. */
  async #idle(): Promise<boolean> {
    if (this.#reading === 0) return true;
    const late = new AbortController();
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    await Promise.race([idle, this.#clock.sleep(drainMs, late.signal)]);
    late.abort();
    this.#onIdle = null;
    return this.#reading === 0;
  }

  /** What residents feel from now on, while nothing is read; null: the server does not tell. */
  async #rest(): Promise<Felt | null> {
    const before = this.#watch.health?.statements?.calls;
    const beganMs = this.#clock.monotonicMs();
    let first: { readonly health: ServerHealth; readonly atMs: number } | undefined;
    let [looks, active, ioWaiting] = [0, 0, 0];
    await this.#clock.sleep(settleMs);
    for (;;) {
      await this.#watch.lookNow();
      const { health } = this.#watch;
      if (health === null) return null;
      const atMs = this.#clock.monotonicMs();
      looks += 1;
      active += health.active;
      ioWaiting += health.ioWaiting;
      // Counts may still be those of an earlier look: those that moved are of this pause.
      if (health.statements === null || health.statements.calls !== before) first ??= { health, atMs };
      const load = loadBetween(first?.health ?? null, health);
      const enough = health.statements === null || load.statements >= defaultThrottleOptions.leastStatements;
      const over = atMs - beganMs >= mostMs;
      if (over || (enough && first !== undefined && atMs - first.atMs >= leastMs)) {
        const { latencyMs, statements } = load;
        return { latencyMs, statements, active: active / looks, ioWaiting: ioWaiting / looks };
      }
      await this.#clock.sleep(lookEveryMs);
    }
  }
}
