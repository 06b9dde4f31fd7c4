import type { Tenure } from './tenure.ts';

/** How the driver's own pool treats those who wait. */
export interface QueueRules {
  /** Longest wait for a connection in milliseconds; 0 waits for ever. */
  readonly timeoutMs: number;
  readonly timedOut: () => Error;
  /** Of a pool that was ended. */
  readonly closed: () => Error;
  /** Why one more may not wait, if that is so. */
  readonly refuse?: (waitingCount: number) => Error | undefined;
}

export interface CheckoutEvents<C extends object> {
  /** No connection could be had; resolves to true when it is worth trying again at where the pool is then. */
  openFailed(tenure: Tenure<C>, error: unknown): Promise<boolean>;
}

interface Waiter<C> {
  readonly settle: (error: unknown, connection?: C) => void;
  settled: boolean;
  /** The last barrier that was there when it came. */
  readonly barrier: number;
  /** Where a connection is being opened for it. */
  at: object | null;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Who waits for a connection, in order of their coming. Nobody waits inside of a driver's pool, so that a swap
 * takes all of them along, also those whose connection is still being opened.
 */
export class Checkouts<C extends object> {
  readonly #rules: QueueRules;
  readonly #events: CheckoutEvents<C>;
  /** In order; those with a connection being opened stay until they have it. */
  readonly #waiters = new Set<Waiter<C>>();
  #tenure: Tenure<C> | undefined;
  #holds = 0;
  /** Barriers that stand, oldest first. */
  readonly #barriers = new Set<number>();
  #lastBarrier = 0;
  #closed = false;

  constructor(rules: QueueRules, events: CheckoutEvents<C>) {
    this.#rules = rules;
    this.#events = events;
  }

  /** Those that have no connection yet, as the driver's own pool counts them: not the ones being opened. */
  get waitingCount(): number {
    let count = 0;
    for (const waiter of this.#waiters) if (waiter.at === null) count += 1;
    return count;
  }

  get pendingCount(): number {
    return this.#waiters.size;
  }

  /** `settle` is called once, with an error or a connection, and never before this returns. */
  take(settle: (error: unknown, connection?: C) => void): void {
    // Who waits for the pool to begin or to swap does not wait for want of connections.
    const isHeld = this.#tenure === undefined || this.#holds > 0 || this.#barriers.size > 0;
    const isFull = !isHeld && !this.#tenure?.hasRoom;
    const refusal = this.#closed
      ? this.#rules.closed()
      : isFull
        ? this.#rules.refuse?.(this.waitingCount)
        : undefined;
    if (refusal !== undefined) {
      process.nextTick(settle, refusal);
      return;
    }
    const waiter: Waiter<C> = {
      settle,
      settled: false,
      barrier: this.#lastBarrier,
      at: null,
      timer: undefined,
    };
    if (this.#rules.timeoutMs > 0) {
      waiter.timer = setTimeout(() => this.#settle(waiter, this.#rules.timedOut()), this.#rules.timeoutMs);
      waiter.timer.unref();
    }
    this.#waiters.add(waiter);
    this.pump();
  }

  /** From now on connections come from here; whoever waits elsewhere is served from here too. */
  use(tenure: Tenure<C>): void {
    this.#tenure = tenure;
    this.pump();
  }

  /** Nobody gets a connection until the function that this returns is called. */
  hold(): () => void {
    this.#holds += 1;
    return this.#once(() => {
      this.#holds -= 1;
    });
  }

  /** Who comes from now on gets no connection until the function that this returns is called. */
  barrier(): () => void {
    const barrier = ++this.#lastBarrier;
    this.#barriers.add(barrier);
    return this.#once(() => this.#barriers.delete(barrier));
  }

  #once(lift: () => void): () => void {
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      lift();
      this.pump();
    };
  }

  /** Gives connections to those who wait, while there is room. */
  pump(): void {
    const tenure = this.#tenure;
    if (tenure === undefined || this.#holds > 0 || this.#closed) return;
    const [oldest = Number.POSITIVE_INFINITY] = this.#barriers;
    for (const waiter of this.#waiters) {
      if (!tenure.hasRoom || waiter.barrier >= oldest) return;
      if (waiter.at !== tenure) void this.#serve(waiter, tenure);
    }
  }

  /** All that wait are refused, and all that come. */
  close(): void {
    this.#closed = true;
    for (const waiter of [...this.#waiters]) this.#settle(waiter, this.#rules.closed());
  }

  async #serve(waiter: Waiter<C>, tenure: Tenure<C>): Promise<void> {
    waiter.at = tenure;
    let connection: C;
    try {
      connection = await tenure.open();
    } catch (error) {
      if (waiter.at !== tenure || waiter.settled) return;
      const again = await this.#events.openFailed(tenure, error).catch(() => false);
      if (waiter.settled || waiter.at !== tenure) return;
      waiter.at = null;
      if (again) this.pump();
      else this.#settle(waiter, error);
      return;
    }
    // The swap came in between, or the wait was over: another one may have it, where the pool is still in use.
    if (waiter.settled || waiter.at !== tenure || this.#tenure !== tenure) {
      tenure.pool.giveBack(connection);
      return;
    }
    this.#settle(waiter, undefined, connection);
  }

  #settle(waiter: Waiter<C>, error: unknown, connection?: C): void {
    if (waiter.settled) return;
    waiter.settled = true;
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
    waiter.settle(error, connection);
  }
}
