import { type JetStreamManager, type KV, type NatsConnection, NatsError, nanos, StorageType } from 'nats';
import { ForewarmError } from '../lib/errors.ts';
import type { BucketName, Subjects } from '../messages/subjects.ts';

const dayMs = 24 * 60 * 60 * 1000;
/** A heartbeat older than this is gone, and with it the agent. */
export const heartbeatTtlMs = 10_000;

const bucketTtlMs: Readonly<Record<BucketName, number>> = {
  migrations: 30 * dayMs,
  active: 30 * dayMs,
  vms: 30 * dayMs,
  profiles: 30 * dayMs,
  routes: 0,
  devices: 0,
  replicas: heartbeatTtlMs,
};

/** Values of one key that are kept; a bucket that is there is left as its admin set it. */
const bucketHistory: Readonly<Partial<Record<BucketName, number>>> = {
  // Who was away is told of the routes in between; 64 is NATS's own limit.
  routes: 64,
};

/** Events and intents are kept as long as this, and no more than that many bytes. */
const streamLimits = { maxAgeMs: 7 * dayMs, maxBytes: 256 * 1024 * 1024, duplicateWindowMs: 10 * 60 * 1000 };

/** Makes the stream where it is missing; one that is there is left as its admin set it. */
export async function ensureStream(manager: JetStreamManager, subjects: Subjects): Promise<void> {
  try {
    await manager.streams.info(subjects.stream);
  } catch (error) {
    if (!isNotFound(error)) throw jetStreamError(error);
    await manager.streams
      .add({
        name: subjects.stream,
        subjects: [...subjects.streamSubjects],
        storage: StorageType.File,
        max_age: nanos(streamLimits.maxAgeMs),
        max_bytes: streamLimits.maxBytes,
        duplicate_window: nanos(streamLimits.duplicateWindowMs),
      })
      .catch(async (cause) => {
        // Another agent may have made it at the same moment.
        await manager.streams.info(subjects.stream).catch(() => {
          throw jetStreamError(cause);
        });
      });
  }
}

/** Opens a bucket, and makes it where it is missing. */
export async function openBucket(
  connection: NatsConnection,
  subjects: Subjects,
  name: BucketName,
  timeoutMs: number,
): Promise<KV> {
  try {
    return await connection.jetstream({ timeout: timeoutMs }).views.kv(subjects.buckets[name], {
      history: bucketHistory[name] ?? 1,
      ttl: bucketTtlMs[name],
      storage: StorageType.File,
    });
  } catch (error) {
    throw jetStreamError(error);
  }
}

/** Opens a bucket for reading; it need not be there yet, and no right beyond reading it is needed. */
export async function bindBucket(
  connection: NatsConnection,
  subjects: Subjects,
  name: BucketName,
  timeoutMs: number,
): Promise<KV> {
  const stream = connection.jetstream({ timeout: timeoutMs, checkAPI: false });
  return await stream.views.kv(subjects.buckets[name], { bindOnly: true }).catch((error) => {
    throw jetStreamError(error);
  });
}

export function isNotFound(error: unknown): boolean {
  return error instanceof NatsError && (error.code === '404' || error.api_error?.code === 404);
}

/** A stored revision was not the expected one. */
export function isConflict(error: unknown): boolean {
  return error instanceof NatsError && error.api_error?.err_code === 10071;
}

export function jetStreamError(error: unknown): ForewarmError {
  if (error instanceof ForewarmError) return error;
  const code = error instanceof NatsError ? error.code : undefined;
  if (code === '503' || code === 'JETSTREAM_NOT_ENABLED') {
    return new ForewarmError('broker_no_jetstream', 'NATS answers, but JetStream is not enabled there', {
      hint: 'Start it with `nats-server -js -sd /var/lib/nats`.',
      cause: error,
    });
  }
  if (code === 'PERMISSIONS_VIOLATION') {
    return new ForewarmError('broker_denied', `NATS denied a subject: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return new ForewarmError('broker_unreachable', `JetStream request failed: ${(error as Error).message}`, {
    hint: 'Check that nats-server runs and that its JetStream storage has room.',
    cause: error,
  });
}
