import type { Broker } from '../broker/broker.ts';
import { ForewarmError } from '../lib/errors.ts';

/**
 * Where a VM reads now, when its intent does not say: its route, else the replica that saw it last.
 * A route that this very migration's arrival has set, while the target's agent was dead, does not say where it came
 * from. Rejects with `source_unknown`, or with `same_replica` when it read the target before.
 */
export async function findSource(
  broker: Pick<Broker, 'routes' | 'profiles'>,
  vm: string,
  { target, migration }: { readonly target: string; readonly migration?: string },
): Promise<string> {
  const route = await broker.routes.get(vm);
  const hasArrived = route?.replica === target && migration !== undefined && route.migration === migration;
  if (route?.replica === target && !hasArrived) {
    throw new ForewarmError(
      'same_replica',
      `VM ${vm} reads ${target} already, by its route: nothing to warm`,
    );
  }
  if (route !== null && !hasArrived) return route.replica;
  const profiles = await broker.profiles.list(`*.${vm}`);
  const newest = profiles
    .map(({ value }) => value)
    .filter((profile) => profile.replica !== target)
    .sort((a, b) => Date.parse(b.at) - Date.parse(a.at))[0];
  if (newest !== undefined) return newest.replica;
  throw new ForewarmError(
    'source_unknown',
    `the intent names no source, and VM ${vm} has neither a route nor a profile`,
    {
      hint: `Name it with --from, or set the route once: \`forewarm route set --vm ${vm} --to REPLICA\`.`,
    },
  );
}
