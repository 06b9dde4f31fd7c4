import type { Route } from '../../messages/route.ts';

/** Something that is brought to a VM's route: a file, a pooler, a command. */
export interface RouteOutput {
  /** As its flag: `--write`. */
  readonly name: string;
  /** Brings it to the route; doing it twice is as once. Rejects with `output_failed` when it did not succeed. */
  apply(route: Route, signal: AbortSignal): Promise<void>;
}

/** What is known of one route: its own fields, then the replica's values. */
export type RouteFacts = ReadonlyMap<string, string>;

/** Values of each replica as the operator gave them. */
export type ReplicaValues = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** `migration` is empty where the route was set by hand. */
export function factsOf(vm: string, route: Route, replicas: ReplicaValues): RouteFacts {
  return new Map([
    ['vm', vm],
    ['replica', route.replica],
    ['epoch', String(route.epoch)],
    ['at', route.at],
    ['migration', route.migration ?? ''],
    ...Object.entries(replicas[route.replica] ?? {}),
  ]);
}
