import type { EventEmitter } from 'node:events';
import type { PoolConnection, PoolOptions, QueryOptions } from 'mysql2';
import type { PoolConnection as PromiseConnection } from 'mysql2/promise';
import { within } from '../../lib/within.ts';
import type { PoolEvents, ReplicaPool } from '../driver.ts';
import { CorePool, type DriverConnection, type EndCallback, poolConfig } from './core-pool.ts';

/**
 * Statements: text as `query` takes it, or `{ sql, values }`, which is prepared and executed. Or a function that
 * does what it likes.
 */
export type MysqlWarm =
  | readonly (string | QueryOptions)[]
  | ((connection: PromiseConnection) => Promise<void> | void);

export interface MysqlPoolOptions {
  readonly options: PoolOptions;
  readonly connectMs: number;
  readonly session: Readonly<Record<string, string | number>>;
  readonly warm: MysqlWarm;
  /** Where the pool's own events go to. */
  readonly emitter: EventEmitter;
}

const forwarded = ['connection', 'acquire', 'release'] as const;
const defaultConnectMs = 10_000;

/** mysql2's own pool, which says when a connection comes back or is lost. */
class ReportingPool extends CorePool {
  readonly #returned: (connection: PoolConnection, isLost: boolean) => void;
  /** True where the connection has been dealt with and is not to be had again. */
  readonly #keeps: (connection: PoolConnection) => boolean;

  constructor(
    options: PoolOptions,
    events: {
      returned: (connection: PoolConnection, isLost: boolean) => void;
      keeps: (connection: PoolConnection) => boolean;
    },
  ) {
    super({ config: poolConfig(options) });
    this.#returned = events.returned;
    this.#keeps = events.keeps;
  }

  /** The driver calls it for a connection that was released, and for one that broke or was destroyed. */
  override releaseConnection(connection: PoolConnection): void {
    const isLost = (connection as unknown as DriverConnection)._pool === null;
    this.#returned(connection, isLost);
    if (isLost || this.#keeps(connection)) super.releaseConnection(connection);
  }
}

/** A pool of mysql2 at one replica. Nobody ever waits in it, for it is not asked while it is full. */
export class MysqlReplicaPool implements ReplicaPool<PoolConnection> {
  readonly inner: ReportingPool;
  readonly limit: number;
  readonly #options: MysqlPoolOptions;
  readonly #ready = new WeakSet<PoolConnection>();
  readonly #open = new Set<PoolConnection>();
  readonly #inUse = new Set<PoolConnection>();
  #underway = 0;
  #drained: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #end: Promise<void> | undefined;

  constructor(options: MysqlPoolOptions, events: PoolEvents<PoolConnection>) {
    this.#options = options;
    const given = options.options.connectTimeout ?? defaultConnectMs;
    const inner = new ReportingPool(
      { ...options.options, connectTimeout: Math.min(given, options.connectMs) },
      {
        returned: (connection, isLost) => {
          const wasIdle = !this.#inUse.delete(connection);
          if (isLost) this.#open.delete(connection);
          if (isLost && wasIdle && this.#drained === undefined)
            events.broke(new Error('a connection was lost'));
          events.freed(connection);
          this.#whenDrained();
        },
        keeps: (connection) => {
          if (this.#drained === undefined) return true;
          this.#quit(connection);
          return false;
        },
      },
    );
    this.inner = inner;
    const { connectionLimit } = inner.config as { connectionLimit: number };
    this.limit = connectionLimit === 0 ? Number.POSITIVE_INFINITY : connectionLimit;
    inner.on('connection', (connection: PoolConnection) => this.#open.add(connection));
    for (const name of forwarded)
      inner.on(name, (...values: unknown[]) => options.emitter.emit(name, ...values));
  }

  async open(): Promise<PoolConnection> {
    this.#underway += 1;
    try {
      const connection = await new Promise<PoolConnection>((resolve, reject) => {
        this.inner.getConnection((error, found) => (error ? reject(error) : resolve(found)));
      });
      this.#inUse.add(connection);
      if (!this.#ready.has(connection)) await this.#settle(connection);
      this.#ready.add(connection);
      return connection;
    } finally {
      this.#underway -= 1;
    }
  }

  async warm(connection: PoolConnection): Promise<void> {
    const { warm } = this.#options;
    const promised = connection.promise();
    if (typeof warm === 'function') {
      await warm(promised);
      return;
    }
    for (const statement of warm) {
      if (typeof statement === 'string') await promised.query(statement);
      else await promised.execute(statement);
    }
  }

  giveBack(connection: PoolConnection): void {
    connection.release();
  }

  drain(): Promise<void> {
    if (this.#end !== undefined) return this.#end;
    if (this.#drained === undefined) {
      let resolve: () => void = () => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#drained = { promise, resolve };
      for (const connection of this.#open) if (!this.#inUse.has(connection)) this.#quit(connection);
      this.#whenDrained();
    }
    return this.#drained.promise;
  }

  end(): Promise<void> {
    this.#end ??= new Promise<void>((resolve, reject) => {
      this.inner.end(((error) => (error ? reject(error) : resolve())) satisfies EndCallback);
    }).finally(() => this.#drained?.resolve());
    return this.#end;
  }

  cut(connections: readonly PoolConnection[]): void {
    for (const connection of connections) {
      // `destroy` would leave what runs on it without an answer for ever.
      const lost = new Error('the connection was cut off, for its pool has switched to another replica');
      // As the driver says it of a connection that the server has closed.
      const cut = Object.assign(lost, { code: 'PROTOCOL_CONNECTION_LOST', fatal: true });
      (connection as unknown as DriverConnection).stream.destroy(cut);
    }
  }

  async #settle(connection: PoolConnection): Promise<void> {
    const promised = connection.promise();
    const setAll = async () => {
      for (const [name, value] of Object.entries(this.#options.session)) {
        // Not by placeholders, which the application may write in a way of its own.
        await promised.query(`SET SESSION ${connection.escapeId(name)} = ${connection.escape(value)}`);
      }
    };
    try {
      await within('the settings of a new session', setAll(), {
        ms: this.#options.connectMs,
        code: 'database_unreachable',
      });
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** In order, so that the server counts no aborted client. */
  #quit(connection: PoolConnection): void {
    (connection as unknown as DriverConnection).config.gracefulEnd = true;
    this.#underway += 1;
    connection.end(() => {
      this.#underway -= 1;
      this.#whenDrained();
    });
  }

  #whenDrained(): void {
    if (this.#drained === undefined || this.#end !== undefined) return;
    if (this.#open.size === 0 && this.#underway === 0) void this.end().catch(() => {});
  }
}
