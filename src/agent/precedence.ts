import { setImmediate } from 'node:timers/promises';
import { type Clock, systemClock } from '../lib/clock.ts';

/** What has waited so long goes on: NATS may have gone silent in the middle of an acceptance. */
const longestMs = 1_000;
/** So long after the last urgent work more of it is to be expected. */
const busyMs = 100;
/** Between two turns while it is busy: urgent work wants a processor that is not full already. */
const apartMs = 15;

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
  readonly #begun: Waiting[] = [];
  readonly #fresh: Waiting[] = [];
  #urgent = 0;
  #lastUrgentMs = Number.NEGATIVE_INFINITY;
  #lastTurnMs = Number.NEGATIVE_INFINITY;
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
      this.#lastUrgentMs = this.#clock.monotonicMs();
      if (this.#urgent === 0) this.#changed.abort();
    }
  }

  /**
   * Resolves when nothing urgent is under way, or after about a second; one after the other, and apart while it is busy.
   * `begun`: of a migration that was worked for already, which goes before a new one, lest all take ever longer.
   */
  async turn(of: 'begun' | 'new'): Promise<void> {
    if (this.#urgent === 0 && !this.#handing && this.#untilNextMs() <= 0) {
      this.#lastTurnMs = this.#clock.monotonicMs();
      return;
    }
    await new Promise<void>((go) => {
      const waiting = of === 'begun' ? this.#begun : this.#fresh;
      waiting.push({ sinceMs: this.#clock.monotonicMs(), go });
      if (!this.#handing) void this.#hand();
    });
  }

  async #hand(): Promise<void> {
    this.#handing = true;
    for (let next = this.#next; next !== undefined; next = this.#next) {
      const nowMs = this.#clock.monotonicMs();
      const leftMs = next.sinceMs + longestMs - nowMs;
      const apart = this.#untilNextMs();
      if (this.#urgent > 0 && leftMs > 0) await this.#pause(leftMs);
      else if (apart > 0) await this.#clock.sleep(apart);
      else {
        (next === this.#begun[0] ? this.#begun : this.#fresh).shift();
        this.#lastTurnMs = nowMs;
        next.go();
        await setImmediate();
      }
    }
    this.#handing = false;
  }

  get #next(): Waiting | undefined {
    return this.#begun[0] ?? this.#fresh[0];
  }

  #untilNextMs(): number {
    const nowMs = this.#clock.monotonicMs();
    const isBusy = this.#urgent > 0 || nowMs - this.#lastUrgentMs < busyMs;
    return isBusy ? this.#lastTurnMs + apartMs - nowMs : 0;
  }

  /** Ends as well with the last urgent work. */
  async #pause(ms: number): Promise<void> {
    this.#changed = new AbortController();
    await this.#clock.sleep(ms, this.#changed.signal);
  }
}
