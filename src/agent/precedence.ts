import { setImmediate } from 'node:timers/promises';
import { type Clock, systemClock } from '../lib/clock.ts';

/** What has waited so long goes on: NATS may have gone silent in the middle of an acceptance. */
const longestMs = 1_000;
/** Between two of those while something is urgent still, lest all of them be in its way at once. */
const apartMs = 20;

interface Waiting {
  readonly sinceMs: number;
  readonly go: () => void;
}

/**
 * Who announces a migration waits for its acceptance, so that goes before the work for those under way, one piece of
 * which may take longer than all of it. Agents of one process share one.
 */
export class Precedence {
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #urgent = 0;
  #changed = new AbortController();
  #handing = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Runs it at once; what asks for its turn meanwhile waits. */
  async first<T>(work: () => Promise<T>): Promise<T> {
    this.#urgent += 1;
    try {
      return await work();
    } finally {
      this.#urgent -= 1;
      if (this.#urgent === 0) this.#changed.abort();
    }
  }

  /** Resolves when nothing urgent is under way, or after about a second; one after the other, with messages let in between. */
  async turn(): Promise<void> {
    if (this.#urgent === 0 && !this.#handing) return;
    await new Promise<void>((go) => {
      this.#waiting.push({ sinceMs: this.#clock.monotonicMs(), go });
      if (!this.#handing) void this.#hand();
    });
  }

  async #hand(): Promise<void> {
    this.#handing = true;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const leftMs = next.sinceMs + longestMs - this.#clock.monotonicMs();
      if (this.#urgent > 0 && leftMs > 0) {
        await this.#pause(leftMs);
        continue;
      }
      this.#waiting.shift();
      next.go();
      if (this.#urgent > 0) await this.#pause(apartMs);
      else await setImmediate();
    }
    this.#handing = false;
  }

  /** Ends as well with the last urgent work. */
  async #pause(ms: number): Promise<void> {
    this.#changed = new AbortController();
    await this.#clock.sleep(ms, this.#changed.signal);
  }
}
