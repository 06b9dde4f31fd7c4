import { EventEmitter } from 'node:events';
import type { PoolConnection as CoreConnection, Pool as CorePoolType, PoolOptions } from 'mysql2';
import type { Pool, PoolConnection } from 'mysql2/promise';
import { followRoute } from '../../broker/route-feed.ts';
import { Coordinator } from '../coordinator.ts';
import type { Driver } from '../driver.ts';
import { type SwitchOptions, switchSettings } from '../options.ts';
import { type Notice, type PoolCounters, type PoolRoute, Report, type SwitchEvent } from '../report.ts';
import {
  CorePool,
  type EndCallback,
  type GetConnectionCallback,
  PromisePool,
  poolConfig,
} from './core-pool.ts';
import { openMysqlProbe } from './probe.ts';
import { MysqlReplicaPool, type MysqlWarm } from './replica-pool.ts';

export interface SwitchingMysqlPoolOptions extends SwitchOptions {
  /** Connection string or options of each replica, by its name in routes. They never leave the process. */
  readonly replicas: Readonly<Record<string, string | PoolOptions>>;
  /** Of the pool at every replica, as `mysql.createPool` takes them: `connectionLimit`, `timezone` and so on. */
  readonly pool?: PoolOptions;
  /** Settings of every session, such as `{ time_zone: '+00:00' }`. */
  readonly session?: Readonly<Record<string, string | number>>;
  /** Run on each connection that is prepared before a switch; `{ sql, values }` is prepared at the server. */
  readonly warm?: MysqlWarm;
}

/**
 * A pool of `mysql2/promise` whose connections go where its VM's route points to. A connection that is checked
 * out stays at its replica until it is released; everything else moves at once.
 *
 * `getConnection` and `end` also take a callback, as those of `mysql2` do, for libraries that want its pool;
 * `pool` is such a pool in full, with streams. `pool.config` is that of the default replica.
 */
export interface SwitchingMysqlPool extends Pool {
  /** Where connections go now. */
  readonly route: PoolRoute;
  readonly counters: PoolCounters;
  getConnection(): Promise<PoolConnection>;
  getConnection(callback: (error: Error | null, connection: CoreConnection) => void): void;
  end(): Promise<void>;
  end(callback: (error: Error | null) => void): void;
  on(event: 'switch', listener: (event: SwitchEvent) => void): this;
  on(event: 'notice', listener: (notice: Notice) => void): this;
  on(event: 'connection' | 'acquire' | 'release', listener: (connection: PoolConnection) => void): this;
  on(event: 'enqueue', listener: () => void): this;
}

/** mysql2's callback pool around a coordinator: `query`, `execute` and the rest of it go through these. */
class SwitchingCore extends CorePool {
  readonly coordinator: Coordinator<CoreConnection>;

  constructor(config: PoolOptions, coordinate: (emitter: EventEmitter) => Coordinator<CoreConnection>) {
    super({ config });
    this.coordinator = coordinate(this as unknown as EventEmitter);
  }

  override getConnection(callback: GetConnectionCallback): void {
    this.coordinator.checkouts.take((error, connection) => {
      if (connection === undefined) callback(error as Error, undefined as unknown as CoreConnection);
      else callback(null, connection);
    });
  }

  override releaseConnection(connection: { release(): void }): void {
    connection.release();
  }

  override end(callback: EndCallback = () => {}): void {
    // Of the pool that this one is by inheritance, and that has no connections.
    super.end(() => {});
    this.coordinator.end().then(() => callback(null), callback);
  }
}

class SwitchingPromisePool extends PromisePool {
  readonly #core: SwitchingCore;
  readonly #report: Report;

  constructor(core: SwitchingCore, report: Report) {
    super(core as unknown as CorePoolType);
    this.#core = core;
    this.#report = report;
  }

  get route(): PoolRoute {
    return this.#core.coordinator.route;
  }

  get counters(): PoolCounters {
    return this.#report.counters;
  }

  override getConnection(callback?: GetConnectionCallback): Promise<PoolConnection> {
    if (callback === undefined) return super.getConnection();
    this.#core.getConnection(callback);
    return undefined as never;
  }

  override end(callback?: EndCallback): Promise<void> {
    if (callback === undefined) return super.end();
    this.#core.end(callback);
    return undefined as never;
  }
}

/**
 * A drop-in for `mysql.createPool(…)` of `mysql2/promise` that follows its VM's route; at once usable, and
 * connected when it is used. Throws `config_invalid` or `name_invalid`.
 */
export function createSwitchingMysqlPool(options: SwitchingMysqlPoolOptions): SwitchingMysqlPool {
  const settings = switchSettings(options, options.replicas);
  const optionsOf = (replica: string): PoolOptions => {
    const given = options.replicas[replica] ?? {};
    return { ...options.pool, ...(typeof given === 'string' ? { uri: given } : given) };
  };
  // Listeners are at the pool that is returned, which needs what reports to it.
  const events = new EventEmitter();
  const report = new Report(events);
  const config = poolConfig(optionsOf(settings.defaultReplica));
  const { waitForConnections, queueLimit = 0 } = config;
  const core = new SwitchingCore(config, (emitter) => {
    const driver: Driver<CoreConnection> = {
      pool: (replica, poolEvents) => {
        const { session = {}, warm = [] } = options;
        const { connectMs } = settings;
        return new MysqlReplicaPool(
          { options: optionsOf(replica), connectMs, session, warm, emitter },
          poolEvents,
        );
      },
      probe: (replica) => openMysqlProbe(optionsOf(replica), settings.connectMs),
      sessionId: (connection) => connection.threadId,
    };
    const { vm, logger } = settings;
    const { nats, prefix } = options;
    return new Coordinator<CoreConnection>({
      driver,
      settings,
      report,
      rules: {
        timeoutMs: 0,
        timedOut: () => new Error('No connection in time.'),
        closed: () => new Error('Pool is closed.'),
        refuse: (waitingCount) => {
          if (!waitForConnections) return new Error('No connections available.');
          if (queueLimit > 0 && waitingCount >= queueLimit) return new Error('Queue limit reached.');
          emitter.emit('enqueue');
          return undefined;
        },
      },
      follow: (listener, signal) =>
        followRoute({ vm, nats, prefix, logger, name: `pool of ${vm}` }, listener, signal),
    });
  });
  const pool = new SwitchingPromisePool(core, report) as unknown as SwitchingMysqlPool;
  for (const name of ['switch', 'notice']) {
    events.on(name, (event) => (pool as unknown as EventEmitter).emit(name, event));
  }
  return pool;
}
