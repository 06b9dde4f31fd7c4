import type { Routes } from '../broker/routes.ts';
import { systemClock } from '../lib/clock.ts';
import type { Route } from '../messages/route.ts';

/** How long an answer is waited for before the last known route serves. */
const patienceMs = 250;
/** Names come from whoever asks: they must not fill the memory. */
const maxRemembered = 10_000;

/** Routes as last heard of: NATS is asked anew each time, and not waited for. */
export class KnownRoutes {
  readonly #routes: Pick<Routes, 'get'>;
  readonly #known = new Map<string, Route | null>();
  readonly #asking = new Map<string, Promise<void>>();

  constructor(routes: Pick<Routes, 'get'>) {
    this.#routes = routes;
  }

  /** Null: the VM has no route. Undefined: NATS has not said yet. Never rejects. */
  async get(vm: string): Promise<Route | null | undefined> {
    let asking = this.#asking.get(vm);
    if (asking === undefined) {
      asking = this.#ask(vm).finally(() => this.#asking.delete(vm));
      this.#asking.set(vm, asking);
    }
    const answered = new AbortController();
    await Promise.race([
      asking.finally(() => answered.abort()),
      systemClock.sleep(patienceMs, answered.signal),
    ]);
    return this.#known.get(vm);
  }

  async #ask(vm: string): Promise<void> {
    const route = await this.#routes.get(vm).catch(() => undefined);
    if (route === undefined) return;
    // Applications keep the replica that they use when a route is deleted, and so do we.
    if (route === null && this.#known.get(vm)) return;
    if (this.#known.size >= maxRemembered && !this.#known.has(vm)) this.#known.clear();
    this.#known.set(vm, route);
  }
}
