import { type Clock, systemClock } from '../../lib/clock.ts';

/** Looked back so far. */
const windowMs = 10_000;
/** Pages that are used within this count as in use. */
const usedWithinMs = 15_000;
/** Looks that follow each other sooner are one. */
const leastMs = 1_500;
/** So long after a read of ours new pages may still be let in as young ones: see `Admission`. */
const calmAfterMs = 1_000;

/**
 * How much of the old sublist residents use. Where what they use has no room in the young one, its last pages go back
 * and forth: seen by how many become young while nothing of ours is read. Who fills the old sublist then takes from
 * them pages that were young a moment ago.
 */
export class OldInUse {
  readonly #clock: Clock;
  #last: { readonly atMs: number; readonly madeYoung: number } | undefined;
  #stretches: { readonly endMs: number; readonly perMs: number }[] = [];
  #pages = 0;
  #disturbing = 0;
  #calmFromMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Pages, at most: one that becomes young twice within 15 s counts twice. */
  get pages(): number {
    return this.#pages;
  }

  /** `madeYoung`: since the server's start. */
  look(madeYoung: number): void {
    const endMs = this.#clock.monotonicMs();
    if (this.#disturbing > 0 || endMs < this.#calmFromMs) return;
    const last = this.#last;
    if (last === undefined || madeYoung < last.madeYoung) {
      // The first one, or the server was started again.
      this.#forget();
      this.#last = { atMs: endMs, madeYoung };
      return;
    }
    if (endMs - last.atMs < leastMs) return;
    this.#last = { atMs: endMs, madeYoung };
    const perMs = (madeYoung - last.madeYoung) / (endMs - last.atMs);
    this.#stretches = [...this.#stretches, { endMs, perMs }].filter((one) => one.endMs > endMs - windowMs);
    // The usual: who has just begun makes young once what it goes on to use.
    const sorted = this.#stretches.map((one) => one.perMs).sort((a, b) => a - b);
    this.#pages = Math.round((sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) * usedWithinMs);
  }

  /**
   * Something of ours is read until the result is called: what becomes young meanwhile tells nothing. What was known
   * before it stays.
   */
  disturb(): () => void {
    this.#disturbing += 1;
    this.#forget();
    return () => {
      this.#disturbing -= 1;
      this.#calmFromMs = this.#clock.monotonicMs() + calmAfterMs;
    };
  }

  #forget(): void {
    this.#last = undefined;
    this.#stretches = [];
  }
}
