import type { Broker } from '../../broker/broker.ts';
import { systemClock } from '../../lib/clock.ts';
import { ForewarmError } from '../../lib/errors.ts';
import type { Measure } from '../app-messages.ts';
import type { AppVm } from '../app-vm.ts';

const routeTimeoutMs = 15_000;

/** What a switch was. */
export interface Switched {
  /** When the new connections took over, as milliseconds since 1970. */
  readonly atMs: number;
  /** From the route's change to the new connections' taking over. */
  readonly switchMs: number;
}

interface Awaited {
  readonly replica: string;
  readonly measures: readonly Measure[];
  readonly resolve: (switched: Switched) => void;
  readonly reject: (error: unknown) => void;
}

/** Keeps an application VM's connections where its route points to. */
export class RouteFollower {
  readonly #broker: Broker;
  readonly #vm: AppVm;
  readonly #dsnOf: (replica: string) => string;
  readonly #signal: AbortSignal;
  #replica = '';
  #awaited: Awaited | undefined;

  constructor(options: {
    readonly broker: Broker;
    readonly vm: AppVm;
    readonly dsnOf: (replica: string) => string;
    readonly signal: AbortSignal;
  }) {
    this.#broker = options.broker;
    this.#vm = options.vm;
    this.#dsnOf = options.dsnOf;
    this.#signal = options.signal;
  }

  /** Where the VM reads now. */
  get replica(): string {
    return this.#replica;
  }

  /** Sets the first route, to where the VM reads already, and follows from now on. */
  async start(replica: string): Promise<void> {
    await this.#broker.routes.set(this.#vm.name, { replica });
    this.#replica = replica;
    void this.#follow().catch((error: unknown) => this.#awaited?.reject(error));
  }

  /** Does `change`, which must bring the route to `replica`, and resolves when the VM reads there. */
  async through(
    change: () => Promise<unknown>,
    to: { readonly replica: string; readonly measures?: readonly Measure[] },
  ): Promise<Switched> {
    if (this.#replica === to.replica) return { atMs: Date.now(), switchMs: 0 };
    const timeout = new AbortController();
    const switched = new Promise<Switched>((resolve, reject) => {
      this.#awaited = { replica: to.replica, measures: to.measures ?? [], resolve, reject };
    });
    switched.catch(() => {});
    try {
      await change();
      const late = systemClock.sleep(routeTimeoutMs, timeout.signal).then(() => {
        throw new ForewarmError('lab_unavailable', `the route did not lead to ${to.replica} in time`);
      });
      late.catch(() => {});
      return await Promise.race([switched, late]);
    } finally {
      timeout.abort();
      this.#awaited = undefined;
    }
  }

  async #follow(): Promise<void> {
    for await (const { replica } of this.#broker.routes.watch(this.#vm.name, this.#signal)) {
      if (replica === this.#replica) continue;
      const seenMs = Date.now();
      const awaited = this.#awaited;
      const { atMs } = await this.#vm.switchTo(this.#dsnOf(replica), awaited?.measures ?? []);
      this.#replica = replica;
      if (awaited?.replica === replica) awaited.resolve({ atMs, switchMs: atMs - seenMs });
    }
  }
}
