import { type Clock, systemClock } from '../lib/clock.ts';

/** A look that was begun ahead is good for as long as it took, and at least for so long. */
const leastGoodMs = 1_000;

interface Taken<T> {
  readonly seen: T;
  readonly goodUntilMs: number;
}

/** A look at the pool that is begun before it is asked for. */
export class BegunAhead<T> {
  readonly #clock: Clock;
  #begun: Promise<Taken<T> | undefined> | undefined;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** In place of one that was begun before. Where it fails, `take` gives nothing. */
  begin(look: () => Promise<T>): void {
    const startMs = this.#clock.monotonicMs();
    this.#begun = look().then(
      (seen) => {
        const endMs = this.#clock.monotonicMs();
        return { seen, goodUntilMs: endMs + Math.max(leastGoodMs, endMs - startMs) };
      },
      () => undefined,
    );
  }

  /** Waits for it. Gives it once: what is read after it is not in it; undefined where it is too old or does not serve. */
  async take(serves: (seen: T) => boolean): Promise<T | undefined> {
    const begun = this.#begun;
    this.#begun = undefined;
    const taken = await begun;
    if (taken === undefined || this.#clock.monotonicMs() > taken.goodUntilMs) return undefined;
    return serves(taken.seen) ? taken.seen : undefined;
  }
}
