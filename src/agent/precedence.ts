import { setImmediate } from 'node:timers/promises';

/** What has to wait longer goes on: NATS may have gone silent in the middle of an acceptance. */
const longestMs = 1_000;

/**
 * Who announces a migration waits for its acceptance, so that goes before the work for those under way, one piece of
 * which may take longer than all of it. Agents of one process share one.
 */
export class Precedence {
  #urgent = 0;
  #releasing = false;
  readonly #waiting = new Set<() => void>();

  /** Runs it at once; what asks for its turn meanwhile waits. */
  async first<T>(work: () => Promise<T>): Promise<T> {
    this.#urgent += 1;
    try {
      return await work();
    } finally {
      this.#urgent -= 1;
      void this.#release();
    }
  }

  /** Resolves at once, or when nothing urgent is under way, one after the other; after a second at the latest. */
  async turn(): Promise<void> {
    if (this.#urgent === 0 && this.#waiting.size === 0) return;
    await new Promise<void>((resolve) => {
      const go = () => {
        clearTimeout(timer);
        this.#waiting.delete(go);
        resolve();
      };
      const timer = setTimeout(go, longestMs);
      this.#waiting.add(go);
      void this.#release();
    });
  }

  /** Lets messages in between two of them. */
  async #release(): Promise<void> {
    if (this.#releasing) return;
    this.#releasing = true;
    for (const go of this.#waiting) {
      if (this.#urgent > 0) break;
      go();
      await setImmediate();
    }
    this.#releasing = false;
  }
}
