import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Declaration } from './declaration.ts';

export type Labels<Label extends string> = Readonly<Record<Label, string>>;

/** One series: its labels and its value. */
export type Sample<Label extends string> = readonly [Labels<Label>, number];

type Settings<Label extends string> = {
  readonly name: string;
  readonly help: string;
  readonly labelNames: Label[];
  readonly registers: Registry[];
};

/**
 * Declared metrics in one registry. Nothing here throws or waits: a value that is no number is left out, and so is
 * a sample that cannot be read.
 */
export class Instruments {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** With a registry of their own that has the process's metrics too; `labels` are of every series. */
  static ofProcess(labels: Readonly<Record<string, string>>): Instruments {
    const registry = new Registry();
    registry.setDefaultLabels(labels);
    // The event loop is looked at ten times a second rather than a hundred: an agent is to be idle.
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
    return new Instruments(registry);
  }

  /** What a scrape gets, from what is known: nothing is asked. */
  async exposition(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  counter<Label extends string>(declaration: Declaration<Label>) {
    const metric = new Counter(this.#settings(declaration));
    return {
      add: (labels: Labels<Label>, by = 1): void => {
        if (Number.isFinite(by) && by >= 0) metric.inc(labels, by);
      },
    };
  }

  gauge<Label extends string>(declaration: Declaration<Label>) {
    const metric = new Gauge(this.#settings(declaration));
    return {
      set: (labels: Labels<Label>, value: number): void => {
        if (Number.isFinite(value)) metric.set(labels, value);
      },
    };
  }

  histogram<Label extends string>(declaration: Declaration<Label>) {
    const metric = new Histogram({
      ...this.#settings(declaration),
      buckets: [...(declaration.buckets ?? [])],
    });
    return {
      observe: (labels: Labels<Label>, value: number): void => {
        if (Number.isFinite(value)) metric.observe(labels, value);
      },
    };
  }

  /** A gauge or a counter whose series are read at each scrape; `read` must answer from what is known. */
  sampled<Label extends string>(declaration: Declaration<Label>, read: () => Iterable<Sample<Label>>): void {
    const settings = this.#settings(declaration);
    const fill = (
      metric: { reset(): void; remove(): void },
      put: (labels: Labels<Label>, value: number) => void,
    ) => {
      metric.reset();
      // One without labels would stand at 0, which is not the same as unknown.
      if (declaration.labels.length === 0) metric.remove();
      try {
        for (const [labels, value] of read()) if (Number.isFinite(value)) put(labels, value);
      } catch {
        // A metric that cannot be told is absent; the others are there.
      }
    };
    if (declaration.type === 'counter') {
      const metric: Counter<Label> = new Counter({
        ...settings,
        collect: () => fill(metric, (labels, value) => metric.inc(labels, Math.max(0, value))),
      });
    } else {
      const metric: Gauge<Label> = new Gauge({
        ...settings,
        collect: () => fill(metric, (labels, value) => metric.set(labels, value)),
      });
    }
  }

  #settings<Label extends string>({ name, help, labels }: Declaration<Label>): Settings<Label> {
    return { name, help, labelNames: [...labels], registers: [this.#registry] };
  }
}
