import type { Broker } from '../broker/broker.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { retry } from '../lib/retry.ts';
import type { MigrationEvent } from '../messages/event.ts';
import type { MigrationRecord } from '../messages/record.ts';

const soonMs = 250;

/**
 * Writes one migration's record and events without making the warming wait: while NATS is away they
 * are kept, and written in their order when it is back. Of records, and of progress events, only the
 * newest is worth keeping.
 */
export class Journal {
  readonly #broker: Broker;
  readonly #logger: Logger;
  readonly #signal: AbortSignal;
  readonly #steps: { event: MigrationEvent; dedupe: string }[] = [];
  #progress: MigrationEvent | null = null;
  #record: MigrationRecord | null = null;
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
    this.#start();
  }

  /** For figures alone: with what is saved next, or in a moment. */
  saveSoon(record: MigrationRecord): void {
    this.#record = record;
    this.#soon ??= setTimeout(() => this.#start(), soonMs);
  }

  /** A step of the audit trail; the same `dedupe` twice is one event. */
  step(event: MigrationEvent, dedupe: string): void {
    this.#steps.push({ event, dedupe });
    this.#start();
  }

  progress(event: MigrationEvent): void {
    this.#progress = event;
    this.#start();
  }

  /** Resolves when everything is written, or the signal aborted. */
  async flush(): Promise<void> {
    if (this.#record !== null) this.#start();
    while (this.#pump !== null) await this.#pump;
  }

  #start(): void {
    this.#pump ??= this.#write().finally(() => {
      this.#pump = null;
    });
  }

  /** What has gathered is sent at once: NATS stores it in the order in which it was sent. */
  async #write(): Promise<void> {
    for (let writes = this.#gathered(); writes.length > 0; writes = this.#gathered()) {
      const sent = await Promise.allSettled(writes.map((write) => write()));
      const failed = sent.findIndex(({ status }) => status === 'rejected');
      // From the first that failed on, one after the other: what is stored already is stored once.
      if (failed >= 0) for (const write of writes.slice(failed)) await this.#insist(write);
    }
  }

  async #insist(write: () => Promise<void>): Promise<void> {
    await retry(write, {
      signal: this.#signal,
      retryable: (error) => describeError(error).code !== 'internal',
      onRetry: (error, delayMs) =>
        this.#logger.warn({ error: String(error), delayMs }, 'cannot write the record yet'),
    }).catch((error) => this.#logger.error({ error: String(error) }, 'a record or event was not written'));
  }

  #gathered(): readonly (() => Promise<void>)[] {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const [record, steps, progress] = [this.#record, this.#steps.splice(0), this.#progress];
    this.#record = null;
    this.#progress = null;
    return [
      ...(record === null ? [] : [async () => void (await this.#broker.records.put(record.id, record))]),
      ...steps.map(
        ({ event, dedupe }) =>
          () =>
            this.#broker.events.publish(event, dedupe),
      ),
      ...(progress === null ? [] : [() => this.#broker.events.publish(progress)]),
    ];
  }
}
