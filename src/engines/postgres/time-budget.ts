import type { Clock } from '../../lib/clock.ts';

/** Runs of late of which the shortest tells what the work itself takes. */
const recentRuns = 5;

/**
 * Bounds work of unknown cost to a part of the time: what is not used is saved up, as far as `burstMs`. A run
 * counts at most twice the shortest of late: the rest it waited for a busy machine.
 */
export class TimeBudget {
  readonly #clock: Clock;
  readonly #share: number;
  readonly #burstMs: number;
  #leftMs: number;
  #filledMs: number;
  #recentMs: readonly number[] = [];

  /** `share`: part of one core's time, 0 to 1. */
  constructor(options: { readonly clock: Clock; readonly share: number; readonly burstMs: number }) {
    this.#clock = options.clock;
    this.#share = options.share;
    this.#burstMs = options.burstMs;
    this.#leftMs = options.burstMs;
    this.#filledMs = options.clock.monotonicMs();
  }

  /** Runs the work if there is time left for it, and counts what it took, less `idleMs` that it slept; false when there is none. */
  async spend(work: () => Promise<void>, idleMs = 0): Promise<boolean> {
    const startMs = this.#clock.monotonicMs();
    this.#leftMs = Math.min(this.#burstMs, this.#leftMs + (startMs - this.#filledMs) * this.#share);
    this.#filledMs = startMs;
    if (this.#leftMs <= 0) return false;
    await work();
    const tookMs = Math.max(0, this.#clock.monotonicMs() - startMs - idleMs);
    this.#recentMs = [...this.#recentMs.slice(1 - recentRuns), tookMs];
    this.#leftMs -= Math.min(tookMs, 2 * Math.min(...this.#recentMs));
    return true;
  }
}
