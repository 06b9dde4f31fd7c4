import type { FollowRoute, RouteListener } from '../broker/route-feed.ts';
import type { Route } from '../messages/route.ts';

export interface RouteFollowing {
  /** Tells a VM's routes, also those that were replaced. */
  readonly follow: FollowRoute;
  /** Routes after this epoch are told one by one, also those that were replaced since, as far as they are kept. */
  readonly after?: number | undefined;
  /** The present route first, then each that follows; epochs only rise, and none is told twice. */
  readonly onRoute: (route: Route) => void;
  /** All that there is was told. */
  readonly onCurrent?: () => void;
  /** The VM has no route; told once, until it gets one. */
  readonly onNone?: () => void;
  /** NATS does not answer: the last route stays. Told once, until `onBack`. */
  readonly onAway?: (error: Error) => void;
  readonly onBack?: () => void;
  /** A route whose epoch lies before one that was told. Told once for each epoch. */
  readonly onIgnored?: (route: Route, epoch: number) => void;
}

/** Tells each epoch of a VM's route once and in order, until `signal` aborts; never rejects. */
export async function followInOrder(following: RouteFollowing, signal: AbortSignal): Promise<void> {
  await following.follow(new RouteOrder(following), signal);
}

/** The present route, and before it those after the epoch `after` that it replaced. Rejects when NATS does not answer. */
export async function routesNow(
  following: Pick<RouteFollowing, 'follow' | 'after' | 'onIgnored'>,
  signal: AbortSignal,
): Promise<Route[]> {
  const found: Route[] = [];
  const enough = new AbortController();
  let away: Error | undefined;
  const stop = (error?: Error) => {
    away = error;
    enough.abort();
  };
  const order = { ...following, onRoute: (route: Route) => void found.push(route) };
  await followInOrder(
    { ...order, onCurrent: () => stop(), onAway: stop },
    AbortSignal.any([signal, enough.signal]),
  );
  signal.throwIfAborted();
  if (away !== undefined) throw away;
  return found;
}

/** Passes on each epoch once, in order, whatever is told again by a new watch. */
class RouteOrder implements RouteListener {
  readonly #following: RouteFollowing;
  /** What a watch has told before it was current; undefined from then on. */
  #kept: Route[] | undefined;
  #present: Route | undefined;
  #told: number | undefined;
  #ignored: number | undefined;
  #isNone = false;
  #isAway = false;

  constructor(following: RouteFollowing) {
    this.#following = following;
  }

  begun(): void {
    this.#kept = [];
    this.#present = undefined;
  }

  route(route: Route): void {
    this.#present = route;
    if (this.#kept === undefined) this.#take(route, []);
    else this.#kept.push(route);
  }

  deleted(): void {
    this.#present = undefined;
    if (this.#kept === undefined) this.#none();
  }

  current(): void {
    const { onBack, onCurrent } = this.#following;
    if (this.#isAway) onBack?.();
    this.#isAway = false;
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    if (this.#present === undefined) this.#none();
    else this.#take(this.#present, kept);
    onCurrent?.();
  }

  lost(error: unknown): void {
    if (!this.#isAway) this.#following.onAway?.(error as Error);
    this.#isAway = true;
  }

  #none(): void {
    if (!this.#isNone) this.#following.onNone?.();
    this.#isNone = true;
  }

  #take(route: Route, kept: readonly Route[]): void {
    const { after, onRoute, onIgnored } = this.#following;
    this.#isNone = false;
    const last = this.#told ?? after;
    if (route.epoch === this.#told) return;
    if (last !== undefined && route.epoch < last) {
      if (this.#ignored !== route.epoch) onIgnored?.(route, last);
      this.#ignored = route.epoch;
      return;
    }
    const missed = last === undefined ? [] : kept.filter(({ epoch }) => epoch > last && epoch < route.epoch);
    for (const one of [...missed, route]) {
      if (one.epoch === this.#told) continue;
      this.#told = one.epoch;
      onRoute(one);
    }
  }
}
