import { within } from '../lib/within.ts';
import { endSessions } from './bounds.ts';
import type { Driver, ReplicaPool } from './driver.ts';

export interface TenureEvents {
  /** A connection became free, or one may be opened again. */
  freed(): void;
  /** An idle connection of this replica broke. */
  broke(error: unknown): void;
}

export interface PrepareOptions {
  readonly atOnce: number;
  readonly warmMs: number;
  readonly connectMs: number;
  readonly signal: AbortSignal;
}

/** A replica for as long as a pool of connections to it is in use, and who has them. */
export class Tenure<C extends object> {
  readonly replica: string;
  readonly pool: ReplicaPool<C>;
  readonly #driver: Driver<C>;
  readonly #leases = new Set<C>();
  readonly #warm = new WeakSet<C>();
  #opening = 0;
  #gone: Promise<void> | undefined;

  constructor(driver: Driver<C>, replica: string, events: TenureEvents) {
    this.replica = replica;
    this.#driver = driver;
    this.pool = driver.pool(replica, {
      freed: (connection) => {
        if (this.#leases.delete(connection)) events.freed();
      },
      broke: (error) => events.broke(error),
    });
  }

  /** Connections in use, and those that are being opened for somebody. */
  get busyCount(): number {
    return this.#leases.size + this.#opening;
  }

  get leases(): readonly C[] {
    return [...this.#leases];
  }

  get hasRoom(): boolean {
    return this.#gone === undefined && this.busyCount < this.pool.limit;
  }

  /** Only where there is room. */
  async open(): Promise<C> {
    this.#opening += 1;
    try {
      const connection = await this.pool.open();
      this.#leases.add(connection);
      return connection;
    } finally {
      this.#opening -= 1;
    }
  }

  /**
   * Sees to it that so many connections are open and warm, `atOnce` at a time, each warmed within `warmMs`; the pool
   * must be unused yet. What is being warmed when the signal aborts, or when the bound is reached, is cut off, and its
   * statement ended at the server, which would go on with it for nobody.
   */
  async prepare(count: number, options: PrepareOptions): Promise<void> {
    const { signal, warmMs } = options;
    const held: C[] = [];
    const cut: C[] = [];
    let left = count;
    const work = async () => {
      while (left-- > 0) {
        signal.throwIfAborted();
        const connection = await this.open();
        held.push(connection);
        if (this.#warm.has(connection)) continue;
        const warming = this.pool.warm(connection);
        await within(`warming a connection to ${this.replica}`, warming, {
          ms: warmMs,
          signal,
          code: 'database_unreachable',
        }).catch((error) => {
          cut.push(connection);
          this.pool.cut([connection]);
          throw error;
        });
        this.#warm.add(connection);
      }
    };
    const stopping = async () => {
      try {
        await work();
      } catch (error) {
        left = 0;
        throw error;
      }
    };
    try {
      const workers = Array.from({ length: Math.min(count, options.atOnce) }, stopping);
      const failed = (await Promise.allSettled(workers)).find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    } finally {
      for (const connection of held) this.pool.giveBack(connection);
      const ids = cut.flatMap((connection) => this.#driver.sessionId(connection) ?? []);
      // Nobody waits for it: whoever needs a connection is served by another replica.
      if (ids.length > 0) void endSessions(this.#driver, this.replica, { ids, ms: options.connectMs });
    }
  }

  /** Closes connections as they come free; resolves when all are gone. */
  drain(): Promise<void> {
    this.#gone ??= this.pool.drain().catch(() => {});
    return this.#gone;
  }

  /** As the driver's pool ends, also while it is drained. */
  end(): Promise<void> {
    this.#gone = this.pool.end();
    return this.#gone;
  }
}
