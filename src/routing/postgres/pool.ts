import pg from 'pg';
import { followRoute } from '../../broker/route-feed.ts';
import { Coordinator } from '../coordinator.ts';
import type { Driver } from '../driver.ts';
import { type SwitchOptions, switchSettings, withinCheckouts } from '../options.ts';
import { type Notice, type PoolCounters, type PoolRoute, Report, type SwitchEvent } from '../report.ts';
import { openPostgresProbe } from './probe.ts';
import { PgReplicaPool, type PgWarm } from './replica-pool.ts';

export interface SwitchingPgPoolOptions extends SwitchOptions {
  /** Connection string or options of each replica, by its name in routes. They never leave the process. */
  readonly replicas: Readonly<Record<string, string | pg.PoolConfig>>;
  /** Of the pool at every replica, as `pg.Pool` takes them: `max`, `idleTimeoutMillis`, `types` and so on. */
  readonly pool?: pg.PoolConfig;
  /** Settings of every session, such as `{ search_path: 'app' }`. */
  readonly session?: Readonly<Record<string, string>>;
  /** Run on each connection that is prepared before a switch; statements with a `name` are prepared by it. */
  readonly warm?: PgWarm;
}

type ConnectCallback = Parameters<pg.Pool['connect']>[0];
type PgPoolEvent = 'error' | 'release' | 'connect' | 'acquire' | 'remove';

/**
 * A `pg.Pool` whose connections go where its VM's route points to. A client that is checked out stays at its
 * replica until it is released; everything else moves at once.
 *
 * It differs from `pg.Pool` in this: whoever waits for a connection when the pool ends is refused rather than
 * forgotten; without a listener for `error` an idle connection's end does not end the process; and opening one
 * connection is bounded by `connectMs`. `options` are those of the default replica. Until the pool has ended, its
 * connection to NATS keeps the process running, whatever `allowExitOnIdle` says.
 */
export class SwitchingPgPool extends pg.Pool {
  readonly #coordinator: Coordinator<pg.PoolClient>;
  readonly #report: Report;
  readonly #pools = new Set<PgReplicaPool>();

  /** Throws `config_invalid` or `name_invalid`. */
  constructor(options: SwitchingPgPoolOptions) {
    const given = switchSettings(options, options.replicas);
    const configOf = (replica: string): pg.PoolConfig => {
      const at = options.replicas[replica] ?? {};
      return { ...options.pool, ...(typeof at === 'string' ? { connectionString: at } : at) };
    };
    super(configOf(given.defaultReplica));
    const timeoutMs = this.options.connectionTimeoutMillis ?? 0;
    const settings = withinCheckouts(given, timeoutMs);
    this.#report = new Report(this);
    const driver: Driver<pg.PoolClient> = {
      pool: (replica, events) => {
        const { connectMs } = settings;
        const { session = {}, warm = [] } = options;
        const pool = new PgReplicaPool(
          { config: configOf(replica), connectMs, session, warm, emitter: this },
          events,
        );
        this.#live();
        this.#pools.add(pool);
        return pool;
      },
      probe: (replica) => openPostgresProbe(configOf(replica), settings.connectMs),
      sessionId: (client) => (client as { processID?: number }).processID ?? null,
    };
    const counted = (name: 'totalCount' | 'idleCount' | 'expiredCount') => ({
      get: () => this.#live().reduce((sum, pool) => sum + pool.inner[name], 0),
    });
    Object.defineProperties(this, {
      totalCount: counted('totalCount'),
      idleCount: counted('idleCount'),
      expiredCount: counted('expiredCount'),
      waitingCount: { get: () => this.#coordinator.checkouts.waitingCount },
    });
    const { vm, logger } = settings;
    const { nats, prefix } = options;
    this.#coordinator = new Coordinator<pg.PoolClient>({
      driver,
      settings,
      report: this.#report,
      rules: {
        timeoutMs,
        timedOut: () => new Error('timeout exceeded when trying to connect'),
        closed: () => new Error('Cannot use a pool after calling end on the pool'),
      },
      follow: (listener, signal) =>
        followRoute({ vm, nats, prefix, logger, name: `pool of ${vm}` }, listener, signal),
    });
  }

  /** Where connections go now. */
  get route(): PoolRoute {
    return this.#coordinator.route;
  }

  get counters(): PoolCounters {
    return this.#report.counters;
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | undefined {
    const take = (done: ConnectCallback) =>
      this.#coordinator.checkouts.take((error, client) => {
        if (client === undefined) done(error as Error, undefined, () => {});
        else done(undefined, client, (problem) => client.release(problem));
      });
    if (callback !== undefined) {
      take(callback);
      return;
    }
    return new Promise((resolve, reject) => {
      take((error, client) => (client === undefined ? reject(error) : resolve(client)));
    });
  }

  override end(): Promise<void>;
  override end(callback: (error?: Error) => void): void;
  override end(callback?: (error?: Error) => void): Promise<void> | undefined {
    const ended = this.#coordinator.hasEnded
      ? Promise.reject(new Error('Called end on pool more than once'))
      : this.#endOnce();
    if (callback === undefined) return ended;
    ended.then(() => callback(), callback);
    return;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#coordinator.hasEnded) await this.end();
  }

  override on(event: 'switch', listener: (event: SwitchEvent) => void): this;
  override on(event: 'notice', listener: (notice: Notice) => void): this;
  override on<K extends PgPoolEvent>(
    event: K,
    listener: K extends 'error' | 'release'
      ? (error: Error, client: pg.PoolClient) => void
      : (client: pg.PoolClient) => void,
  ): this;
  override on(event: string, listener: (...values: never[]) => void): this {
    return super.on(event as PgPoolEvent, listener as (client: pg.PoolClient) => void);
  }

  /** Forgets those that are gone. */
  #live(): PgReplicaPool[] {
    for (const pool of this.#pools) if (pool.inner.ended) this.#pools.delete(pool);
    return [...this.#pools];
  }

  async #endOnce(): Promise<void> {
    // As in `pg.Pool`, which tells it by plain properties.
    Object.assign(this, { ending: true });
    await this.#coordinator.end();
    Object.assign(this, { ended: true });
  }
}

/**
 * A drop-in for `new pg.Pool(…)` that follows its VM's route; at once usable, and connected when it is used.
 * Throws `config_invalid` or `name_invalid`.
 */
export function createSwitchingPgPool(options: SwitchingPgPoolOptions): SwitchingPgPool {
  return new SwitchingPgPool(options);
}
