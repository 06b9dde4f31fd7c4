import type { Routes } from '../broker/routes.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { retry } from '../lib/retry.ts';
import type { Route } from '../messages/route.ts';

export interface RouteFollowing {
  readonly routes: Pick<Routes, 'get' | 'watch' | 'history'>;
  readonly vm: string;
  /** Routes after this epoch are told one by one, also those that were replaced since, as far as they are kept. */
  readonly after?: number | undefined;
  /** The present route first, then each that follows; epochs only rise, and none is told twice. */
  readonly onRoute: (route: Route) => void;
  /** The VM has no route; told once, until it gets one. */
  readonly onNone?: () => void;
  /** NATS does not answer: the last route stays. Told once, until `onBack`. */
  readonly onAway?: (error: Error) => void;
  readonly onBack?: () => void;
  /** A route whose epoch lies before one that was told. Told once for each epoch. */
  readonly onIgnored?: (route: Route, epoch: number) => void;
  readonly pollMs?: number;
  readonly clock?: Clock;
}

/**
 * Follows a VM's route until `signal` aborts; never rejects. A change is told at once by a watch, and by a look
 * of its own in any case: a watch may be lost with NATS's connection and nobody say so.
 */
export async function followRoute(following: RouteFollowing, signal: AbortSignal): Promise<void> {
  const { routes, vm, pollMs = 5_000, clock = systemClock } = following;
  const order = new RouteOrder(following);
  const watching = retry(
    async () => {
      for await (const route of routes.watch(vm, signal)) await order.offer(route);
      if (!signal.aborted) throw new Error('the watch ended');
    },
    { signal, clock },
  ).catch(() => {});
  let away = false;
  let none = false;
  while (!signal.aborted) {
    try {
      const route = await routes.get(vm);
      if (away) following.onBack?.();
      away = false;
      if (route !== null) await order.offer(route);
      else if (!none) following.onNone?.();
      none = route === null;
    } catch (error) {
      if (!away && !signal.aborted) following.onAway?.(error as Error);
      away = true;
    }
    await clock.sleep(pollMs, signal);
  }
  await watching;
}

/**
 * The present route, and before it those after the epoch `after` that it replaced. Empty where the VM has no
 * route, or one whose epoch lies before `after`.
 */
export async function routesSince(
  routes: RouteFollowing['routes'],
  vm: string,
  after: number | undefined,
): Promise<Route[]> {
  const route = await routes.get(vm);
  if (route === null || (after !== undefined && route.epoch < after)) return [];
  return [...(await between(routes, vm, { after, before: route.epoch })), route];
}

/** Takes routes from several sources and passes on each epoch once, in order. */
class RouteOrder {
  readonly #following: RouteFollowing;
  #told: number | undefined;
  #ignored: number | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(following: RouteFollowing) {
    this.#following = following;
  }

  offer(route: Route): Promise<void> {
    this.#turn = this.#turn.then(() => this.#take(route));
    return this.#turn;
  }

  async #take(route: Route): Promise<void> {
    const { routes, vm, after, onRoute, onIgnored } = this.#following;
    const last = this.#told ?? after;
    if (route.epoch === this.#told) return;
    if (last !== undefined && route.epoch < last) {
      if (this.#ignored !== route.epoch) onIgnored?.(route, last);
      this.#ignored = route.epoch;
      return;
    }
    const missed = await between(routes, vm, { after: last, before: route.epoch });
    for (const one of [...missed, route]) {
      this.#told = one.epoch;
      onRoute(one);
    }
  }
}

/** Those that were replaced in between, as far as they are kept and NATS answers. */
async function between(
  routes: RouteFollowing['routes'],
  vm: string,
  { after, before }: { readonly after: number | undefined; readonly before: number },
): Promise<Route[]> {
  if (after === undefined || before <= after + 1) return [];
  const kept = await routes.history(vm).catch(() => []);
  return kept
    .filter(({ epoch }) => epoch > after && epoch < before)
    .sort((a, b) => a.epoch - b.epoch)
    .filter(({ epoch }, at, all) => epoch !== all[at - 1]?.epoch);
}
