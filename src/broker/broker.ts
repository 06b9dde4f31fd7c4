import type { NatsConnection } from 'nats';
import { systemClock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { type Device, deviceSchema, type Heartbeat, heartbeatSchema } from '../messages/heartbeat.ts';
import type { Intent, Outcome } from '../messages/intent.ts';
import { type Profile, profileSchema } from '../messages/profile.ts';
import { type MigrationRecord, recordSchema } from '../messages/record.ts';
import { type Route, routeSchema, type VmPointer, vmPointerSchema } from '../messages/route.ts';
import { createSubjects, type Subjects } from '../messages/subjects.ts';
import { Bucket } from './bucket.ts';
import { type BrokerOptions, openConnection } from './connection.ts';
import { Events } from './events.ts';
import { consumeIntents, type IntentVerdict, type ReceivedIntent } from './intents.ts';
import { Link } from './link.ts';
import { Requests } from './requests.ts';
import { Routes } from './routes.ts';
import { ensureStream, jetStreamError, openBucket } from './topology.ts';

/** NATS as Forewarm uses it: the stream, the buckets, and requests between agents. */
export interface Broker {
  readonly subjects: Subjects;
  readonly records: Bucket<MigrationRecord>;
  /** The newest migration of each VM. */
  readonly vms: Bucket<VmPointer>;
  /** Migrations under way, by `<target>.<migration>`: what an agent takes up again after a restart. */
  readonly active: Bucket<VmPointer>;
  readonly replicas: Bucket<Heartbeat>;
  /** By `<replica>.<vm>`. */
  readonly profiles: Bucket<Profile>;
  readonly devices: Bucket<Device>;
  readonly routes: Routes;
  readonly events: Events;
  readonly requests: Requests;
  readonly link: Link;
  /** Messages for `consumeIntents` that are not handled yet, as far as NATS has said. */
  readonly intentsWaiting: number;
  /** Publishing one id twice is one migration: `duplicate` says that it was there. */
  publishIntent(intent: Intent): Promise<{ readonly duplicate: boolean }>;
  publishOutcome(target: string, outcome: Outcome): Promise<void>;
  consumeIntents(
    replica: string,
    options: {
      readonly handle: (received: ReceivedIntent) => Promise<IntentVerdict>;
      readonly onGivenUp: (received: ReceivedIntent, error: unknown) => Promise<void>;
    },
    signal: AbortSignal,
  ): Promise<void>;
  /** Milliseconds of a round trip to the server. */
  roundTripMs(): Promise<number>;
  close(): Promise<void>;
}

const drainMs = 2_000;

/** Connects and makes the stream and buckets that are missing. Rejects with a `broker_*` error. */
export async function connectBroker(options: BrokerOptions): Promise<Broker> {
  const connection = await openConnection(options);
  try {
    return await assemble(connection, options);
  } catch (error) {
    await connection.close();
    throw jetStreamError(error);
  }
}

async function assemble(connection: NatsConnection, options: BrokerOptions): Promise<Broker> {
  const { logger } = options;
  const subjects = createSubjects(options.prefix);
  const timeout = options.timeoutMs ?? 5_000;
  await ensureStream(await connection.jetstreamManager({ timeout }), subjects);
  const [migrations, vms, active, replicas, profiles, devices, routes] = await Promise.all(
    (['migrations', 'vms', 'active', 'replicas', 'profiles', 'devices', 'routes'] as const).map((name) =>
      openBucket(connection, subjects, name, timeout),
    ),
  );
  const stream = connection.jetstream({ timeout });
  const publish = async (subject: string, message: object, id: string) => {
    const ack = await stream.publish(subject, JSON.stringify(message), { msgID: id }).catch((error) => {
      throw jetStreamError(error);
    });
    return { duplicate: ack.duplicate };
  };
  const link = new Link(connection);
  let intentsWaiting = 0;
  return {
    subjects,
    records: new Bucket<MigrationRecord>(migrations!, recordSchema, logger),
    vms: new Bucket<VmPointer>(vms!, vmPointerSchema, logger),
    active: new Bucket<VmPointer>(active!, vmPointerSchema, logger),
    replicas: new Bucket<Heartbeat>(replicas!, heartbeatSchema, logger),
    profiles: new Bucket<Profile>(profiles!, profileSchema, logger),
    devices: new Bucket<Device>(devices!, deviceSchema, logger),
    routes: new Routes(new Bucket<Route>(routes!, routeSchema, logger)),
    events: new Events(connection, subjects, { logger, timeoutMs: timeout }),
    requests: new Requests(connection, { subjects, logger, link }),
    link,
    get intentsWaiting() {
      return intentsWaiting;
    },
    publishIntent: (intent) => publish(subjects.intent(intent.target), intent, intent.id),
    async publishOutcome(target, outcome) {
      await publish(subjects.intent(target), outcome, `${outcome.id}.${outcome.kind}`);
    },
    consumeIntents: (replica, { handle, onGivenUp }, signal) =>
      consumeIntents(
        {
          ...{ connection, subjects, replica, logger, onGivenUp },
          onWaiting: (count) => {
            intentsWaiting = count;
          },
        },
        handle,
        signal,
      ),
    roundTripMs: () => connection.rtt(),
    async close() {
      // While the server is away a drain would wait for it for ever.
      const drained = new AbortController();
      const draining = connection.drain().catch(() => {});
      void draining.then(() => drained.abort());
      await systemClock.sleep(drainMs, drained.signal);
      if (!drained.signal.aborted) await connection.close();
    },
  };
}

export type { BrokerOptions, Logger };
