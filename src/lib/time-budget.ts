import type { Clock } from './clock.ts';

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

  /** Whether nothing is left of it. */
  get isSpent(): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#leftMs = Math.min(this.#burstMs, this.#leftMs + (nowMs - this.#filledMs) * this.#share);
    this.#filledMs = nowMs;
    return this.#leftMs <= 0;
  }

  /** Runs the work if there is time left for it, and counts what it took, less `idleMs` that it slept; false when there is none. */
  async spend(work: () => Promise<void>, idleMs = 0): Promise<boolean> {
    if (this.isSpent) return false;
    await this.run(work, idleMs);
    return true;
  }

  /** Runs what must be, and counts it; what it takes beyond the budget is saved up for first. Counts nothing where it rejects. */
  async run<T>(work: () => Promise<T>, idleMs = 0): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    const result = await work();
    const tookMs = Math.max(0, this.#clock.monotonicMs() - startMs - idleMs);
    this.#recentMs = [...this.#recentMs.slice(1 - recentRuns), tookMs];
    this.#leftMs -= Math.min(tookMs, 2 * Math.min(...this.#recentMs));
    return result;
  }
}
