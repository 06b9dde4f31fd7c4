import { type Clock, systemClock } from '../../lib/clock.ts';

/** Looked back so far, and pages that are used that often are kept. */
const windowMs = 10_000;
/** Shorter stretches tell little. */
const leastMs = 2_000;

/**
 * How much of the old sublist residents use. Where what they use has no room in the young one, its last pages go back
 * and forth: seen by how many become young while nothing of ours is read. Who fills the old sublist then takes from
 * them pages that were young a moment ago.
 */
export class OldInUse {
  readonly #clock: Clock;
  #looks: { readonly atMs: number; readonly madeYoung: number }[] = [];
  #perMs = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Pages, at most: one that becomes young twice within the window counts twice. */
  get pages(): number {
    return Math.round(this.#perMs * windowMs);
  }

  /** `madeYoung`: since the server's start. */
  look(madeYoung: number): void {
    const atMs = this.#clock.monotonicMs();
    const last = this.#looks.at(-1);
    // It was started again.
    if (last !== undefined && madeYoung < last.madeYoung) this.#looks = [];
    this.#looks.push({ atMs, madeYoung });
    while (this.#looks.length > 2 && this.#looks[1]!.atMs <= atMs - windowMs) this.#looks.shift();
    const first = this.#looks[0]!;
    if (atMs - first.atMs >= leastMs) this.#perMs = (madeYoung - first.madeYoung) / (atMs - first.atMs);
  }

  /** Something of ours is read: what becomes young meanwhile tells nothing. What was known before it stays. */
  disturb(): void {
    this.#looks = [];
  }
}
