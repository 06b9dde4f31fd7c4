import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { LoadSample } from './app-messages.ts';

/** Counts what happens between two points in time; latencies in microseconds, 3 digits exact. */
export class LoadMeter {
  readonly #clock: Clock;
  readonly #histogram: RecordableHistogram = createHistogram();
  #atMs = 0;
  #startMs = 0;
  #transactions = 0;
  #failed = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.reset();
  }

  succeeded(latencyMs: number): void {
    this.#transactions += 1;
    this.#histogram.record(Math.max(1, Math.round(latencyMs * 1000)));
  }

  failed(): void {
    this.#failed += 1;
  }

  sample(): LoadSample {
    const empty = this.#transactions === 0;
    const percentileMs = (percent: number) => (empty ? 0 : this.#histogram.percentile(percent) / 1000);
    return {
      atMs: this.#atMs,
      durationMs: this.#clock.monotonicMs() - this.#startMs,
      transactions: this.#transactions,
      failed: this.#failed,
      p50Ms: percentileMs(50),
      p95Ms: percentileMs(95),
      p99Ms: percentileMs(99),
      maxMs: empty ? 0 : this.#histogram.max / 1000,
    };
  }

  reset(): void {
    this.#histogram.reset();
    this.#atMs = this.#clock.now().getTime();
    this.#startMs = this.#clock.monotonicMs();
    this.#transactions = 0;
    this.#failed = 0;
  }
}
