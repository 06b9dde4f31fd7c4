import {
  AckPolicy,
  ConsumerEvents,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
  type NatsConnection,
  nanos,
} from 'nats';
import type { Logger } from '../lib/logger.ts';
import { retry } from '../lib/retry.ts';
import { type ParsedIntentMessage, parseIntentMessage } from '../messages/intent.ts';
import type { Subjects } from '../messages/subjects.ts';
import { ensureStream, isNotFound, jetStreamError } from './topology.ts';

/** `done`: never again; `later`: not now, deliver it again after a while. */
export type IntentVerdict = 'done' | 'later';

export interface ReceivedIntent {
  readonly parsed: ParsedIntentMessage;
  /** Number in the stream, a name for a message that has no readable id. */
  readonly sequence: number;
  /** 1 for the first delivery. */
  readonly delivery: number;
}

const maxDeliveries = 12;
const redeliveryDelayMs = 2_000;
/** How long a message that an agent took to its grave waits for the next one; one that is being handled does not count. */
const ackWaitMs = 4_000;

/**
 * Hands one replica's messages over in their order until the signal aborts. A message is acknowledged
 * when the handler is done with it, delivered again when the handler asks for it or throws, and given up
 * after twelve deliveries; `onGivenUp` is told. A lost connection, stream or consumer is mended.
 */
export async function consumeIntents(
  options: {
    readonly connection: NatsConnection;
    readonly subjects: Subjects;
    readonly replica: string;
    readonly logger: Logger;
    readonly onGivenUp: (received: ReceivedIntent, error: unknown) => Promise<void>;
    /** Told how many messages were not handled yet when this one was delivered, as it is taken and done. */
    readonly onWaiting: (count: number) => void;
  },
  handle: (received: ReceivedIntent) => Promise<IntentVerdict>,
  signal: AbortSignal,
): Promise<void> {
  const { connection, logger } = options;
  while (!signal.aborted && !connection.isClosed()) {
    const messages = await retry(() => openConsumer(options), {
      signal,
      onRetry: (error) =>
        logger.warn({ error: String(error) }, 'cannot open the intent consumer; trying again'),
    }).catch(() => null);
    if (messages === null) return;
    const stop = () => messages.stop();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    void stopWhenLost(messages, logger);
    try {
      for await (const message of messages) {
        const { pending } = message.info;
        options.onWaiting(pending + 1);
        await settle(message, options, handle);
        options.onWaiting(pending);
      }
    } catch (error) {
      logger.warn({ error: String(error) }, 'the intent consumer broke; opening it again');
    } finally {
      signal.removeEventListener('abort', stop);
      messages.stop();
    }
  }
}

async function settle(
  message: JsMsg,
  options: Parameters<typeof consumeIntents>[0],
  handle: (received: ReceivedIntent) => Promise<IntentVerdict>,
): Promise<void> {
  const received: ReceivedIntent = {
    parsed: parseIntentMessage(message.data),
    sequence: message.seq,
    delivery: message.info.redeliveryCount,
  };
  let failure: unknown = 'no answer';
  const working = setInterval(() => message.working(), ackWaitMs / 4);
  try {
    if ((await handle(received)) === 'done') {
      message.ack();
      return;
    }
  } catch (error) {
    failure = error;
    options.logger.warn({ error: String(error), sequence: message.seq }, 'a message could not be handled');
  } finally {
    clearInterval(working);
  }
  if (received.delivery < maxDeliveries) {
    message.nak(redeliveryDelayMs);
    return;
  }
  await options.onGivenUp(received, failure).catch(() => {});
  message.term();
}

async function openConsumer(options: Parameters<typeof consumeIntents>[0]): Promise<ConsumerMessages> {
  const { connection, subjects, replica } = options;
  const manager = await connection.jetstreamManager({ timeout: 5_000 }).catch((error) => {
    throw jetStreamError(error);
  });
  await ensureStream(manager, subjects);
  const durable = subjects.consumer(replica);
  await manager.consumers.info(subjects.stream, durable).catch(async (error) => {
    if (!isNotFound(error)) throw jetStreamError(error);
    await manager.consumers.add(subjects.stream, {
      durable_name: durable,
      filter_subject: subjects.intent(replica),
      ack_policy: AckPolicy.Explicit,
      // What was published before the agent's first start still counts; admission drops what is too old.
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ackWaitMs),
    });
  });
  const consumer = await connection.jetstream().consumers.get(subjects.stream, durable);
  // A request of a connection that went silent swallows messages until it expires.
  return await consumer.consume({ max_messages: 16, expires: 10_000, idle_heartbeat: 2_500 });
}

const goneEvents: ReadonlySet<ConsumerEvents> = new Set([
  ConsumerEvents.ConsumerDeleted,
  ConsumerEvents.ConsumerNotFound,
  ConsumerEvents.StreamNotFound,
]);

/** A consumer that was deleted, or misses its heartbeats, is opened anew. */
async function stopWhenLost(messages: ConsumerMessages, logger: Logger): Promise<void> {
  for await (const { type, data } of await messages.status()) {
    if (type === ConsumerEvents.HeartbeatsMissed && Number(data) >= 2) {
      logger.warn('the intent consumer misses its heartbeats; opening it again');
      messages.stop();
    } else if (goneEvents.has(type as ConsumerEvents)) {
      logger.warn({ type }, 'the intent consumer is gone; making it again');
      messages.stop();
    }
  }
}
