import type { EventEmitter } from 'node:events';
import pg from 'pg';
import { loadStatement } from '../../lib/sql-file.ts';
import { within } from '../../lib/within.ts';
import type { PoolEvents, ReplicaPool } from '../driver.ts';

const settingStatement = loadStatement('postgres', 'session-setting').text;

/** Statements as `client.query` takes them, or a function that does what it likes. */
export type PgWarm = readonly (string | pg.QueryConfig)[] | ((client: pg.PoolClient) => Promise<void> | void);

export interface PgPoolOptions {
  readonly config: pg.PoolConfig;
  readonly connectMs: number;
  readonly session: Readonly<Record<string, string>>;
  readonly warm: PgWarm;
  /** Where the pool's own events go to. */
  readonly emitter: EventEmitter;
}

const forwarded = ['connect', 'acquire', 'release', 'remove'] as const;

/** A `pg.Pool` at one replica. Nobody ever waits in it, for it is not asked while it is full. */
export class PgReplicaPool implements ReplicaPool<pg.PoolClient> {
  readonly inner: pg.Pool;
  readonly limit: number;
  readonly #options: PgPoolOptions;
  readonly #ready = new WeakSet<pg.PoolClient>();
  #end: Promise<void> | undefined;

  constructor(options: PgPoolOptions, events: PoolEvents<pg.PoolClient>) {
    this.#options = options;
    const { config, connectMs, emitter } = options;
    this.inner = new pg.Pool({
      ...config,
      connectionTimeoutMillis: Math.min(config.connectionTimeoutMillis || connectMs, connectMs),
    });
    this.limit = this.inner.options.max;
    const inner = this.inner as EventEmitter;
    inner.on('error', (error: unknown) => events.broke(error));
    inner.on('release', (_error: unknown, client: pg.PoolClient) => events.freed(client));
    for (const name of forwarded) inner.on(name, (...values) => emitter.emit(name, ...values));
    // An idle connection that breaks ends no process whose replica is about to be left for another one.
    inner.on('error', (error: unknown, client: unknown) => {
      if (emitter.listenerCount('error') > 0 && this.#end === undefined) emitter.emit('error', error, client);
    });
  }

  async open(): Promise<pg.PoolClient> {
    const client = await this.inner.connect();
    if (this.#ready.has(client)) return client;
    try {
      await within('the settings of a new session', this.#settle(client), {
        ms: this.#options.connectMs,
        code: 'database_unreachable',
      });
    } catch (error) {
      client.release(error as Error);
      throw error;
    }
    this.#ready.add(client);
    return client;
  }

  async #settle(client: pg.PoolClient): Promise<void> {
    for (const [name, value] of Object.entries(this.#options.session))
      await client.query(settingStatement, [name, value]);
  }

  async warm(client: pg.PoolClient): Promise<void> {
    const { warm } = this.#options;
    if (typeof warm === 'function') await warm(client);
    else for (const statement of warm) await client.query(statement);
  }

  giveBack(client: pg.PoolClient): void {
    client.release();
  }

  drain(): Promise<void> {
    this.#end ??= this.inner.end();
    return this.#end;
  }

  end(): Promise<void> {
    return this.drain();
  }

  cut(clients: readonly pg.PoolClient[]): void {
    for (const client of clients) {
      // Its user may have no listener, and the process must not end for it.
      client.on('error', () => {});
      void client.end().catch(() => {});
    }
  }
}
