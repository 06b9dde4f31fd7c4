import { retry } from '../../lib/retry.ts';
import type { Route } from '../../messages/route.ts';

const firstDelayMs = 500;
const maxDelayMs = 30_000;

export interface LaneOptions {
  /** `newest`: only the newest route matters. `all`: each is tried once at least, in order. */
  readonly keep: 'newest' | 'all';
  readonly apply: (route: Route, signal: AbortSignal) => Promise<void>;
  /** Before the first attempt. */
  readonly onStart?: (route: Route) => void;
  /** After success, or when it was given up because a newer route waits. */
  readonly onEnd?: (route: Route, succeeded: boolean) => Promise<void> | void;
  /** Each failed attempt; `delayMs` is 0 where there is no other one, because a newer route waits. */
  readonly onFailure: (route: Route, error: unknown, delayMs: number) => void;
}

/**
 * Takes routes one after the other. One that fails is tried again, ever more slowly, until it succeeds or a newer
 * one waits: a lane never ends by a failure.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #waiting: Route[] = [];
  #newer = new AbortController();
  #wake: (() => void) | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  push(route: Route): void {
    if (this.#options.keep === 'newest') this.#waiting.length = 0;
    this.#waiting.push(route);
    this.#newer.abort();
    this.#wake?.();
  }

  /** Works until `signal` aborts; an attempt that is under way then ends first. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
    while (!signal.aborted) {
      const route = this.#waiting.shift();
      if (route === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#newer = new AbortController();
      if (this.#waiting.length > 0) this.#newer.abort();
      await this.#bring(route, signal);
    }
  }

  async #bring(route: Route, signal: AbortSignal): Promise<void> {
    const { apply, onStart, onEnd, onFailure } = this.#options;
    onStart?.(route);
    let told: unknown;
    try {
      await retry(() => apply(route, signal), {
        signal: AbortSignal.any([signal, this.#newer.signal]),
        firstDelayMs,
        maxDelayMs,
        onRetry: (error, delayMs) => {
          told = error;
          onFailure(route, error, delayMs);
        },
      });
    } catch (error) {
      // Ended with the watcher: it is still to be done.
      if (signal.aborted) return;
      if (error !== told) onFailure(route, error, 0);
      await onEnd?.(route, false);
      return;
    }
    await onEnd?.(route, true);
  }
}
