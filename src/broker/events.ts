import { consumerOpts, type NatsConnection } from 'nats';
import type { Logger } from '../lib/logger.ts';
import { eventSchema, type MigrationEvent } from '../messages/event.ts';
import { type MigrationState, migrationStates } from '../messages/states.ts';
import type { Subjects } from '../messages/subjects.ts';
import { jetStreamError } from './topology.ts';

/** The audit trails of migrations. */
export class Events {
  readonly #connection: NatsConnection;
  readonly #subjects: Subjects;
  readonly #logger: Logger;
  readonly #timeoutMs: number;

  constructor(
    connection: NatsConnection,
    subjects: Subjects,
    options: { readonly logger: Logger; readonly timeoutMs: number },
  ) {
    this.#connection = connection;
    this.#subjects = subjects;
    this.#logger = options.logger;
    this.#timeoutMs = options.timeoutMs;
  }

  /** `dedupe` makes publishing the same step twice one event. */
  async publish(event: MigrationEvent, dedupe?: string): Promise<void> {
    const subject = this.#subjects.event(event.id, event.state);
    await this.#connection
      .jetstream({ timeout: this.#timeoutMs })
      .publish(subject, JSON.stringify(event), dedupe === undefined ? {} : { msgID: dedupe })
      .catch((error) => {
        throw jetStreamError(error);
      });
  }

  /** One migration's events (or all), from the first; goes on with new ones while `follow`. */
  async *of(
    migration: string | undefined,
    options: { readonly follow?: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<MigrationEvent> {
    const filter = migration === undefined ? this.#subjects.allEvents : this.#subjects.eventsOf(migration);
    if (!options.follow && !(await this.#holds(filter))) return;
    const subscription = await this.#connection
      .jetstream()
      .subscribe(filter, consumerOpts().orderedConsumer().deliverAll())
      .catch((error) => {
        throw jetStreamError(error);
      });
    const stop = () => subscription.unsubscribe();
    options.signal.addEventListener('abort', stop, { once: true });
    if (options.signal.aborted) stop();
    try {
      for await (const message of subscription) {
        const parsed = eventSchema.safeParse(parseJson(message.data));
        if (parsed.success) yield parsed.data;
        else this.#logger.warn({ subject: message.subject }, 'skipped a malformed event');
        if (!options.follow && message.info.pending === 0) return;
      }
    } finally {
      options.signal.removeEventListener('abort', stop);
      stop();
    }
  }

  /** The states of a migration that its audit trail tells of. */
  async statesTold(migration: string): Promise<ReadonlySet<MigrationState>> {
    const told = await this.#subjectsOf(this.#subjects.eventsOf(migration));
    return new Set(migrationStates.filter((state) => told.includes(this.#subjects.event(migration, state))));
  }

  async #holds(filter: string): Promise<boolean> {
    return (await this.#subjectsOf(filter)).length > 0;
  }

  async #subjectsOf(filter: string): Promise<readonly string[]> {
    try {
      const manager = await this.#connection.jetstreamManager();
      const { state } = await manager.streams.info(this.#subjects.stream, { subjects_filter: filter });
      return Object.keys(state.subjects ?? {});
    } catch (error) {
      throw jetStreamError(error);
    }
  }
}

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return undefined;
  }
}
