import { Events, type NatsConnection } from 'nats';
import { systemClock } from '../lib/clock.ts';
import { ForewarmError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { type Route, routeSchema } from '../messages/route.ts';
import { createSubjects } from '../messages/subjects.ts';
import { Bucket } from './bucket.ts';
import { type BrokerOptions, openConnection } from './connection.ts';
import { bindBucket, jetStreamError } from './topology.ts';

export type { NatsConnection };

/** How an application reaches NATS: `url` and credentials. */
export type NatsOptions = Omit<BrokerOptions, 'name' | 'logger' | 'prefix'>;

export interface RouteFeedOptions {
  readonly vm: string;
  /** A connection of the application's is not closed at the end. */
  readonly nats: string | NatsOptions | NatsConnection;
  readonly prefix?: string | undefined;
  readonly logger: Logger;
  /** Shown in NATS's own monitoring. */
  readonly name: string;
  /** Also tells the routes that were replaced, the oldest first, as far as NATS keeps them. */
  readonly history?: boolean;
}

/** Follows a VM's route until the signal aborts; never rejects. */
export type FollowRoute = (listener: RouteListener, signal: AbortSignal) => Promise<void>;

export interface RouteListener {
  /** A watch begins, the first one or a new one: it tells all that the bucket has, then `current`. */
  begun?(): void;
  /** The route as it is and as it changes; the same one may come again. */
  route(route: Route): void;
  /** The VM has no route any more. */
  deleted?(): void;
  /** All that the bucket has of this VM was told; `route` was not called if that is nothing. */
  current(): void;
  /** NATS cannot be asked now; the feed goes on trying. */
  lost(error: unknown): void;
}

/** A watch is made anew this often, whatever NATS says of it: no change is missed for longer. */
const rewatchMs = 60_000;
const retryMs = { first: 250, last: 5_000 } as const;

/**
 * Follows a VM's route until the signal aborts, over outages of NATS and of its storage. It only reads the
 * bucket: what it needs is `$JS.API.CONSUMER.CREATE.KV_<bucket>`, the same with `.>`, and an inbox.
 */
export async function followRoute(
  options: RouteFeedOptions,
  listener: RouteListener,
  signal: AbortSignal,
): Promise<void> {
  const { nats } = options;
  const own = typeof nats === 'string' || !('jetstream' in nats);
  let connection: NatsConnection | undefined = own ? undefined : nats;
  let delayMs: number = retryMs.first;
  try {
    while (!signal.aborted) {
      const wake = new AbortController();
      let seen = false;
      try {
        if (own) connection ??= await connectOwn(nats as string | NatsOptions, options, signal);
        if (connection === undefined || signal.aborted) return;
        if (connection.isClosed()) {
          throw new ForewarmError('broker_unreachable', 'the NATS connection that was given is closed', {
            hint: 'Give the pool a connection that stays open, or options to connect with.',
          });
        }
        const current = () => {
          seen = true;
          listener.current();
        };
        await watchOnce({ ...options, connection, wake, current }, signal, listener);
        delayMs = retryMs.first;
      } catch (error) {
        if (signal.aborted) return;
        listener.lost(error);
        if (!own && connection?.isClosed()) return;
        if (seen) delayMs = retryMs.first;
        // A reconnection cuts the pause short.
        await systemClock.sleep(delayMs * (0.5 + Math.random() / 2), AbortSignal.any([signal, wake.signal]));
        delayMs = Math.min(retryMs.last, delayMs * 2);
      }
    }
  } finally {
    if (own) await connection?.close().catch(() => {});
  }
}

/** Watches until a reconnection, the next re-watch or the end; rejects when the watch cannot be had. */
async function watchOnce(
  options: RouteFeedOptions & {
    readonly connection: NatsConnection;
    /** Ends the watch, and the pause after it: a reconnection does. */
    readonly wake: AbortController;
    readonly current: () => void;
  },
  signal: AbortSignal,
  listener: RouteListener,
): Promise<void> {
  const { connection, wake, vm, current, history = false } = options;
  const statuses = connection.status() as ReturnType<NatsConnection['status']> & { stop?(): void };
  const noticing = (async () => {
    for await (const status of statuses) {
      if (status.type === Events.Disconnect) listener.lost(new Error('the NATS connection was lost'));
      else if (status.type === Events.Reconnect) wake.abort();
    }
  })();
  noticing.catch(() => {});
  const over = AbortSignal.any([signal, wake.signal]);
  const renewal = setTimeout(() => wake.abort(), rewatchMs);
  try {
    const subjects = createSubjects(options.prefix);
    const kv = await bindBucket(connection, subjects, 'routes', 5_000);
    const bucket = new Bucket<Route>(kv, routeSchema, options.logger);
    listener.begun?.();
    for await (const { stored } of bucket.watch(vm, over, current, { history })) {
      if (stored === null) listener.deleted?.();
      else listener.route(stored.value);
    }
    // The server ended it: as after a loss of its storage.
    if (!over.aborted) throw new ForewarmError('broker_unreachable', 'NATS ended the watch of the routes');
  } catch (error) {
    throw jetStreamError(error);
  } finally {
    clearTimeout(renewal);
    statuses.stop?.();
  }
}

/** Gives up at once where NATS is not there, so that the caller can say so; it is called again and again. */
async function connectOwn(
  nats: string | NatsOptions,
  options: RouteFeedOptions,
  signal: AbortSignal,
): Promise<NatsConnection | undefined> {
  const settings = typeof nats === 'string' ? { url: nats } : nats;
  const connection = await openConnection({ ...settings, name: options.name, logger: options.logger });
  if (!signal.aborted) return connection;
  await connection.close();
  return undefined;
}
