import { type Clock, systemClock } from '../lib/clock.ts';

/** When a switch that failed may be tried again: twice as late each time, at random in the upper half. */
export class RetryPause {
  readonly #bounds: { readonly firstMs: number; readonly maxMs: number };
  readonly #clock: Clock;
  #failures = 0;
  #notBeforeMs = 0;
  #succeededAtMs = Number.NEGATIVE_INFINITY;

  constructor(bounds: { readonly firstMs: number; readonly maxMs: number }, clock: Clock = systemClock) {
    this.#bounds = bounds;
    this.#clock = clock;
  }

  /** Milliseconds until the next try; 0 or less for now. */
  get leftMs(): number {
    return this.#notBeforeMs - this.#clock.monotonicMs();
  }

  /** Where to go is new: no pause. */
  reset(): void {
    this.#failures = 0;
    this.#notBeforeMs = 0;
    this.#succeededAtMs = Number.NEGATIVE_INFINITY;
  }

  /** What was tried worked; it counts as mended only when it has for `maxMs`. */
  succeeded(): void {
    this.#succeededAtMs = this.#clock.monotonicMs();
    this.#notBeforeMs = 0;
  }

  failed(): void {
    const nowMs = this.#clock.monotonicMs();
    const { firstMs, maxMs } = this.#bounds;
    if (nowMs - this.#succeededAtMs >= maxMs && Number.isFinite(this.#succeededAtMs)) this.#failures = 0;
    this.#succeededAtMs = Number.NEGATIVE_INFINITY;
    const ceilingMs = Math.min(maxMs, firstMs * 2 ** Math.min(30, this.#failures));
    this.#failures += 1;
    this.#notBeforeMs = nowMs + ceilingMs * (0.5 + Math.random() / 2);
  }
}
