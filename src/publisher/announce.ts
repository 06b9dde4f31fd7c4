import type { Broker } from '../broker/broker.ts';
import { wireVersion } from '../messages/names.ts';
import type { Route } from '../messages/route.ts';
import { movedOn } from '../migration/moved-on.ts';

/**
 * Says that a VM has arrived. The route is set here too, so that it holds when the target's agent is
 * dead; doing it twice changes nothing, also where the route has led on since. `migration` is undefined when no intent
 * was published.
 */
export async function announceArrival(
  broker: Broker,
  arrival: { readonly vm: string; readonly target: string; readonly migration: string | undefined },
): Promise<Route> {
  const { vm, target, migration } = arrival;
  const record = migration === undefined ? undefined : (await broker.records.get(migration))?.value;
  const since = record === undefined ? null : await broker.routes.get(vm);
  if (record !== undefined && movedOn(since, record)) return since;
  const route = await broker.routes.set(vm, {
    replica: target,
    ...(migration === undefined ? {} : { migration }),
  });
  if (migration !== undefined) {
    const at = new Date().toISOString();
    await broker.publishOutcome(target, { v: wireVersion, kind: 'arrived', id: migration, at });
  }
  return route;
}

/** Says that a VM stays where it is. */
export async function announceAbort(
  broker: Broker,
  abort: { readonly target: string; readonly migration: string; readonly reason: string },
): Promise<void> {
  await broker.publishOutcome(abort.target, {
    v: wireVersion,
    kind: 'aborted',
    id: abort.migration,
    at: new Date().toISOString(),
    reason: abort.reason,
  });
}

/** True when an agent of that replica answers, or ever did: it left a profile or what it learned of its disk. */
export async function isKnownReplica(
  broker: Pick<Broker, 'replicas' | 'devices' | 'profiles'>,
  replica: string,
): Promise<boolean> {
  if ((await broker.replicas.get(replica)) !== null || (await broker.devices.get(replica)) !== null)
    return true;
  return (await broker.profiles.list(`${replica}.*`)).length > 0;
}
