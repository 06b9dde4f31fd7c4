import { ErrorCode as NatsCode, type NatsConnection, NatsError } from 'nats';
import { z } from 'zod';
import { describeError, type ErrorCode, errorCodes, ForewarmError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { nameSchema, wireVersion } from '../messages/names.ts';
import { refusalSchema } from '../messages/requests.ts';
import type { RequestKind, Subjects } from '../messages/subjects.ts';
import type { Link } from './link.ts';

/** Answers one kind of request: a message of the wire format, or bytes. */
export type RequestHandler = (request: unknown) => Promise<object | Uint8Array>;

/** Whose request it was, for the log. */
const aboutSchema = z.object({ migration: nameSchema.optional(), vm: nameSchema.optional() });

/** Requests between agents, and from commands to agents. */
export class Requests {
  readonly #connection: NatsConnection;
  readonly #subjects: Subjects;
  readonly #logger: Logger;
  readonly #link: Link;

  constructor(
    connection: NatsConnection,
    options: { readonly subjects: Subjects; readonly logger: Logger; readonly link: Link },
  ) {
    this.#connection = connection;
    this.#subjects = options.subjects;
    this.#logger = options.logger;
    this.#link = options.link;
  }

  /** Payload bytes that one message may carry here. */
  get payloadLimit(): number {
    return this.#connection.info?.max_payload ?? 1024 * 1024;
  }

  /**
   * Asks one agent and checks its answer. Rejects with `replica_unknown` when no agent listens,
   * `source_away` when it does not answer in time, `broker_unreachable` at once while NATS is away, or
   * the code that the agent gave.
   */
  async ask<T>(
    replica: string,
    kind: RequestKind,
    request: object,
    answer: z.ZodType<T>,
    timeoutMs: number,
  ): Promise<T> {
    const data = await this.askBytes(replica, kind, request, timeoutMs);
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    const parsed = answer.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new ForewarmError(
      'message_malformed',
      `the agent of ${replica} answered ${kind} in a form that is not ours: ${z.prettifyError(parsed.error)}`,
    );
  }

  /** Like `ask`, for an answer that is bytes. */
  async askBytes(
    replica: string,
    kind: RequestKind,
    request: object,
    timeoutMs: number,
  ): Promise<Uint8Array> {
    // A request of a lost connection would wait for its whole time.
    if (!this.#link.connected) {
      throw new ForewarmError('broker_unreachable', `${replica} cannot be asked: NATS is away`);
    }
    const payload = JSON.stringify({ v: wireVersion, ...request });
    const reply = await this.#connection
      .request(this.#subjects.request(replica, kind), payload, { timeout: timeoutMs })
      .catch((error) => {
        throw requestError(error, replica, timeoutMs);
      });
    if (reply.headers?.has('Forewarm-Error')) throw refusal(reply.data, replica);
    return reply.data;
  }

  /** Serves one replica's requests until the signal aborts; a handler's error becomes a refusal. */
  async serve(
    replica: string,
    handlers: Readonly<Record<RequestKind, RequestHandler>>,
    signal: AbortSignal,
  ): Promise<void> {
    const { headers } = await import('nats');
    const subscription = this.#connection.subscribe(this.#subjects.requestsOf(replica));
    const stop = () => subscription.unsubscribe();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    for await (const message of subscription) {
      const kind = message.subject.split('.').at(-1) as RequestKind;
      const handler = handlers[kind];
      // Not awaited: a slow work set must not hold up an estimate.
      void (async () => {
        let request: unknown;
        try {
          if (handler === undefined)
            throw new ForewarmError('message_malformed', `no request of kind ${kind} is known`);
          request = parseRequest(message.data);
          const answer = await handler(request);
          message.respond(answer instanceof Uint8Array ? answer : JSON.stringify(answer));
        } catch (error) {
          const failure = describeError(error);
          const whose = aboutSchema.safeParse(request).data;
          this.#logger.warn(
            { kind, ...whose, code: failure.code, reason: failure.message },
            'refused a request',
          );
          const head = headers();
          head.set('Forewarm-Error', failure.code);
          message.respond(JSON.stringify({ v: wireVersion, error: failure }), { headers: head });
        }
        // The connection may be closed by then; who asked has a time-out of its own.
      })().catch(() => {});
    }
  }
}

function parseRequest(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch (cause) {
    throw new ForewarmError('message_malformed', `a request is not JSON (${data.length} bytes)`, { cause });
  }
}

function requestError(error: unknown, replica: string, timeoutMs: number): ForewarmError {
  if (error instanceof NatsError && error.code === NatsCode.NoResponders) {
    return new ForewarmError('replica_unknown', `no agent answers for replica ${replica}`, {
      hint: 'Look at `forewarm status`; start its agent with `forewarm agent --config FILE`.',
      cause: error,
    });
  }
  if (error instanceof NatsError && error.code === NatsCode.Timeout) {
    return new ForewarmError('source_away', `the agent of ${replica} did not answer within ${timeoutMs} ms`, {
      cause: error,
    });
  }
  return new ForewarmError(
    'broker_unreachable',
    `the request to ${replica} failed: ${(error as Error).message}`,
    { cause: error },
  );
}

function refusal(data: Uint8Array, replica: string): ForewarmError {
  const parsed = refusalSchema.safeParse(JSON.parse(new TextDecoder().decode(data)));
  const { code, message } = parsed.success
    ? parsed.data.error
    : { code: 'internal', message: 'refused without a reason' };
  return new ForewarmError(code in errorCodes ? (code as ErrorCode) : 'internal', `${replica}: ${message}`);
}
