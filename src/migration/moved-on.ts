import type { Route } from '../messages/route.ts';

/** The VM has come by that migration, and its route was led elsewhere since. */
export function movedOn(
  route: Route | null | undefined,
  { id, arrivedAt }: { readonly id: string; readonly arrivedAt?: string | undefined },
): route is Route {
  if (!route || route.migration === id || arrivedAt === undefined) return false;
  return Date.parse(route.at) > Date.parse(arrivedAt);
}
