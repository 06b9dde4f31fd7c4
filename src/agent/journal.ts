import type { Broker } from '../broker/broker.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { retry } from '../lib/retry.ts';
import type { MigrationEvent } from '../messages/event.ts';
import type { MigrationRecord } from '../messages/record.ts';

/** Figures of a record wait so long for others. */
const soonMs = 750;

/**
 * Writes one migration's record and events without making the warming wait: while NATS is away they
 * are kept, and written in their order when it is back. Of records, and of progress events between two steps,
 * only the newest is worth keeping.
 */
export class Journal {
  readonly #broker: Broker;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  readonly #steps: { event: MigrationEvent; dedupe?: string }[] = [];
  #progress: MigrationEvent | null = null;
  #record: MigrationRecord | null = null;
  /** False while the record has only newer figures than the one that is stored. */
  #due = false;
  #pump: Promise<void> | null = null;
  #soon: NodeJS.Timeout | undefined;

  /** `signal` gives up what could not be written yet: the agent is stopping. */
  constructor(broker: Broker, logger: Logger, signal: AbortSignal) {
    this.#broker = broker;
    this.#logger = logger;
    this.#signal = signal;
  }

  /** Records and events that are not written yet, but for what is being written. */
  get backlog(): number {
    return this.#steps.length + (this.#record === null ? 0 : 1) + (this.#progress === null ? 0 : 1);
  }

  save(record: MigrationRecord): void {
    this.#record = record;
    this.#writeNow();
  }

  /** For figures alone: with the next change of state, or in a moment. */
  saveSoon(record: MigrationRecord): void {
    this.#record = record;
    this.#soon ??= setTimeout(() => this.#writeNow(), soonMs);
  }

  /** A step of the audit trail; the same `dedupe` twice is one event. */
  step(event: MigrationEvent, dedupe: string): void {
    if (this.#progress !== null) this.#steps.push({ event: this.#progress });
    this.#progress = null;
    this.#steps.push({ event, dedupe });
    this.#start();
  }

  progress(event: MigrationEvent): void {
    this.#progress = event;
    this.#start();
  }

  /** Resolves when everything is written, or the signal aborted. */
  async flush(): Promise<void> {
    if (this.#record !== null) this.#writeNow();
    while (this.#pump !== null) await this.#pump;
  }

  #writeNow(): void {
    this.#due = true;
    this.#start();
  }

  #start(): void {
    this.#pump ??= this.#write().finally(() => {
      this.#pump = null;
    });
  }

  async #write(): Promise<void> {
    for (let write = this.#next(); write !== null; write = this.#next()) {
      const work = write;
      await retry(work, {
        signal: this.#signal,
        retryable: (error) => describeError(error).code !== 'internal',
        onRetry: (error, delayMs) =>
          this.#logger.warn({ error: String(error), delayMs }, 'cannot write the record yet'),
      }).catch((error) => this.#logger.error({ error: String(error) }, 'a record or event was not written'));
    }
  }

  #next(): (() => Promise<void>) | null {
    if (this.#record !== null && this.#due) {
      const record = this.#record;
      this.#record = null;
      this.#due = false;
      clearTimeout(this.#soon);
      this.#soon = undefined;
      return async () => void (await this.#broker.records.put(record.id, record));
    }
    const step = this.#steps.shift();
    if (step !== undefined) return () => this.#broker.events.publish(step.event, step.dedupe);
    if (this.#progress !== null) {
      const progress = this.#progress;
      this.#progress = null;
      return () => this.#broker.events.publish(progress);
    }
    return null;
  }
}
