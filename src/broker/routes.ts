import { ForewarmError } from '../lib/errors.ts';
import { wireVersion } from '../messages/names.ts';
import type { Route } from '../messages/route.ts';
import type { Bucket, Stored } from './bucket.ts';

interface RouteWanted {
  readonly replica: string;
  readonly migration?: string;
}

/** Which replica each VM's connections go to. */
export class Routes {
  readonly #bucket: Bucket<Route>;

  constructor(bucket: Bucket<Route>) {
    this.#bucket = bucket;
  }

  async get(vm: string): Promise<Route | null> {
    return (await this.#bucket.get(vm))?.value ?? null;
  }

  async list(): Promise<Stored<Route>[]> {
    return await this.#bucket.list();
  }

  /** The route now and each time it changes. */
  async *watch(vm: string, signal: AbortSignal): AsyncGenerator<Route> {
    for await (const { stored } of this.#bucket.watch(vm, signal)) if (stored !== null) yield stored.value;
  }

  /** Says that a VM has no route; watchers keep their last one. False where it had none. */
  async delete(vm: string): Promise<boolean> {
    if ((await this.#bucket.get(vm)) === null) return false;
    await this.#bucket.delete(vm);
    return true;
  }

  /**
   * Switches a VM's route by compare-and-set; the epoch rises by one, and goes on rising where a deleted route
   * is set anew. Setting it twice for one migration, or to where it points already, changes nothing. Rejects
   * with `route_conflict` after ten lost races.
   */
  async set(vm: string, to: RouteWanted): Promise<Route> {
    return (await this.setUnless(vm, to, () => false))!;
  }

  /** The same, but null, and nothing is changed, where `keep` says so of the route that there is. */
  async setUnless(vm: string, to: RouteWanted, keep: (current: Route) => boolean): Promise<Route | null> {
    for (let attempt = 0; attempt < 10; attempt++) {
      const { stored: current, lastRevision } = await this.#bucket.getWithRevision(vm);
      if (current !== null) {
        if (keep(current.value)) return null;
        if (current.value.replica === to.replica) return current.value;
        if (to.migration !== undefined && current.value.migration === to.migration) return current.value;
      }
      const route: Route = {
        v: wireVersion,
        replica: to.replica,
        epoch: (current?.value.epoch ?? lastRevision ?? 0) + 1,
        ...(to.migration === undefined ? {} : { migration: to.migration }),
        at: new Date().toISOString(),
      };
      const written =
        current === null
          ? await this.#bucket.create(vm, route)
          : await this.#bucket.replace(vm, route, current.revision);
      if (written !== null) return route;
    }
    throw new ForewarmError('route_conflict', `the route of ${vm} was changed by others ten times in a row`, {
      hint: `Look at it with \`forewarm route get --vm ${vm}\` and try again.`,
    });
  }
}
