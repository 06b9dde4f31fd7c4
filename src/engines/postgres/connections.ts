import pg from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import { ForewarmError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { EngineOptions, QueryListener } from '../engine.ts';
import { timed } from '../timed.ts';
import { extensionsOf, type SqlStatement, withExtensionSchemas } from './sql.ts';
import { classify, codeOf, isUndefinedObject, leavesSessionUsable } from './sqlstates.ts';

/** What a connection is for. Each has its own few, so that a long read never delays a sample. */
export type Purpose = 'observe' | 'walk' | 'warm' | 'cancel';

export type ConnectionsOptions = Omit<EngineOptions, 'vms'>;

export interface QueryOptions {
  readonly purpose?: Purpose;
  /** Cancels the statement at the server; the query then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** What texts made at run time are called in errors and metrics; one of a few. */
  readonly as?: string;
}

/** A connection held for several statements, such as a transaction. */
export interface Session {
  query<T>(statement: SqlStatement, params?: readonly unknown[]): Promise<T[]>;
  /** Always the extended protocol: a text with two statements is refused by the server. */
  run<T>(text: string, params?: readonly unknown[]): Promise<T[]>;
}

/** Connections to each database of one server. Rejects with ForewarmError. */
export interface PostgresConnections {
  readonly replica: string;
  /** Databases in the order of the configuration; the first serves what concerns the whole server. */
  readonly databases: readonly string[];
  readonly mainDatabase: string;
  readonly statementTimeoutMs: number;
  /** By the address: a unix socket or loopback. */
  readonly onThisHost: boolean;
  query<T>(
    database: string,
    statement: SqlStatement,
    params?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<T[]>;
  /** The connection is thrown away where `work` rejects, so no transaction stays open. */
  session<T>(database: string, options: QueryOptions, work: (session: Session) => Promise<T>): Promise<T>;
  /** Extensions of a database with their schemas, as of the last `refreshExtensions` or first use. */
  extensions(database: string): Promise<ReadonlyMap<string, string>>;
  /** Forgets what is known of extensions; they are read anew at their next use. */
  refreshExtensions(): void;
  close(): Promise<void>;
}

/** Connections of each purpose and database at most. */
/** `warm`: as many as `warm.connections` can ask for; they are opened when they are needed. */
const poolSizes: Record<Purpose, number> = { observe: 2, walk: 1, warm: 16, cancel: 1 };
const idleMs = 60_000;
const connectTimeoutMs = 5_000;
/** The server ends a statement by itself; a connection that is half open is given up this much later. */
const graceMs = 2_000;

const extensionsQuery = `SELECT e.extname AS name, n.nspname AS schema
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace`;

export function createPostgresConnections(options: ConnectionsOptions): PostgresConnections {
  return new Connections(options);
}

class Connections implements PostgresConnections {
  readonly replica: string;
  readonly databases: readonly string[];
  readonly mainDatabase: string;
  readonly statementTimeoutMs: number;
  readonly onThisHost: boolean;
  readonly #config: pg.ClientConfig;
  readonly #logger: Logger;
  readonly #onQuery: QueryListener | undefined;
  readonly #pools = new Map<string, pg.Pool>();
  readonly #extensions = new Map<string, Promise<ReadonlyMap<string, string>>>();
  #closed = false;

  constructor(options: ConnectionsOptions) {
    this.replica = options.replica;
    this.statementTimeoutMs = options.statementTimeoutMs;
    this.#config = parseUrl(options.url);
    this.#logger = options.logger;
    this.#onQuery = options.onQuery;
    this.onThisHost = /^(\/|localhost$|127\.|::1$)/.test(this.#config.host ?? 'localhost');
    const own = this.#config.database ?? this.#config.user ?? 'postgres';
    this.databases = options.databases.length > 0 ? [...new Set(options.databases)] : [own];
    this.mainDatabase = this.databases[0] ?? own;
  }

  async query<T>(
    database: string,
    statement: SqlStatement,
    params: readonly unknown[] = [],
    options: QueryOptions = {},
  ): Promise<T[]> {
    return this.session(database, options, (session) => session.query<T>(statement, params));
  }

  async session<T>(
    database: string,
    options: QueryOptions,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    const { signal } = options;
    signal?.throwIfAborted();
    const client = await this.#connect(database, options.purpose ?? 'observe');
    let broken = false;
    const cancel = () => {
      broken = true;
      void this.#cancel(client);
    };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await work(this.#sessionOn(client, database, options.as));
    } catch (error) {
      const cause = error instanceof ForewarmError ? error.cause : undefined;
      broken ||= (cause !== undefined && !leavesSessionUsable(cause)) || inTransaction(client);
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', cancel);
      client.release(broken);
    }
  }

  extensions(database: string): Promise<ReadonlyMap<string, string>> {
    return (
      this.#extensions.get(database) ??
      this.session(database, { as: 'extensions' }, (session) => this.#readExtensions(database, session))
    );
  }

  /** On the asking session's own connection: taking another one from the pool could wait for ever. */
  #readExtensions(database: string, session: Session): Promise<ReadonlyMap<string, string>> {
    const known = this.#extensions.get(database);
    if (known !== undefined) return known;
    const read = session
      .run<{ name: string; schema: string }>(extensionsQuery)
      .then((rows) => new Map(rows.map((row) => [row.name, row.schema])));
    this.#extensions.set(database, read);
    read.catch(() => this.#extensions.delete(database));
    return read;
  }

  refreshExtensions(): void {
    this.#extensions.clear();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.allSettled(pools.map((pool) => pool.end()));
  }

  async #connect(database: string, purpose: Purpose): Promise<pg.PoolClient> {
    if (this.#closed) {
      throw new ForewarmError('database_unreachable', `${this.replica}: the connections are closed`);
    }
    try {
      return await this.#pool(database, purpose).connect();
    } catch (error) {
      throw this.#explain(error, database, 'connecting');
    }
  }

  #pool(database: string, purpose: Purpose): pg.Pool {
    const key = JSON.stringify([database, purpose]);
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    const pool = new pg.Pool({
      ...this.#config,
      database,
      application_name: `forewarm:${this.replica}`,
      options: [this.#config.options ?? '', ...settings(purpose, this.statementTimeoutMs)].join(' ').trim(),
      query_timeout: this.statementTimeoutMs + graceMs,
      connectionTimeoutMillis: connectTimeoutMs,
      idleTimeoutMillis: idleMs,
      keepAlive: true,
      max: poolSizes[purpose],
      allowExitOnIdle: true,
    });
    // Without a listener the end of an idle connection, as in a restart, would end the process.
    pool.on('error', (error) => {
      this.#logger.debug({ database, purpose, sqlstate: codeOf(error) }, 'an idle connection ended');
    });
    pool.on('connect', (client) => client.on('error', () => {}));
    this.#pools.set(key, pool);
    return pool;
  }

  #sessionOn(client: pg.PoolClient, database: string, as = 'other'): Session {
    const run = async <T>(text: string, params: readonly unknown[], name: string): Promise<T[]> => {
      try {
        const config: pg.QueryConfig & { queryMode: 'extended' } = {
          text,
          values: [...params],
          queryMode: 'extended',
        };
        return (await timed(this.#onQuery, name, () => client.query(config))).rows as T[];
      } catch (error) {
        throw this.#explain(error, database, name);
      }
    };
    const session: Session = {
      run: (text, params = []) => run(text, params, as),
      query: async (statement, params = []) => {
        const text = await this.#resolve(database, statement, session);
        try {
          return await run(text, params, statement.name);
        } catch (error) {
          // An extension moved or was dropped: look again the next time.
          if (error instanceof ForewarmError && isUndefinedObject(error.cause))
            this.#extensions.delete(database);
          throw error;
        }
      },
    };
    return session;
  }

  async #resolve(database: string, statement: SqlStatement, session: Session): Promise<string> {
    const needed = extensionsOf(statement.text);
    if (needed.length === 0) return statement.text;
    const there = await this.#readExtensions(database, session);
    const missing = needed.filter((name) => !there.has(name));
    if (missing.length === 0) return withExtensionSchemas(statement.text, there);
    this.#extensions.delete(database);
    throw new ForewarmError(
      'extension_missing',
      `${this.replica}: database "${database}" has no extension ${missing.join(', ')}`,
      { hint: missing.map((name) => `CREATE EXTENSION ${name};`).join(' ') },
    );
  }

  /** By a second connection, since the first is busy; a failure leaves it to the statement's own time-out. */
  async #cancel(client: pg.PoolClient): Promise<void> {
    const pid = (client as unknown as { processID: number | null }).processID;
    if (pid === null || this.#closed) return;
    await this.session(this.mainDatabase, { purpose: 'cancel', as: 'cancel' }, (session) =>
      session.run('SELECT pg_catalog.pg_cancel_backend($1)', [pid]),
    ).catch(() => {});
  }

  #explain(error: unknown, database: string, doing: string): ForewarmError {
    if (error instanceof ForewarmError) return error;
    const { code, hint } = classify(error);
    const sqlstate = codeOf(error);
    const said = error instanceof Error ? error.message : String(error);
    const tail = sqlstate === '' ? '' : ` (${sqlstate})`;
    return new ForewarmError(code, `${this.replica}, database "${database}", ${doing}: ${said}${tail}`, {
      hint,
      cause: error,
    });
  }
}

function inTransaction(client: pg.PoolClient): boolean {
  const { getTransactionStatus } = client as unknown as { getTransactionStatus?: () => string | null };
  return getTransactionStatus === undefined || getTransactionStatus.call(client) !== 'I';
}

function parseUrl(url: string): pg.ClientConfig {
  try {
    return parseIntoClientConfig(url);
  } catch {
    // The parser's error quotes the URL with its password: it is not passed on.
    throw new ForewarmError('config_invalid', 'database.url is not a connection string', {
      hint: 'Write it as postgres://role@host:5432/database.',
    });
  }
}

/**
 * Settings of a session. Nothing that Forewarm runs writes, waits long for a lock, or goes on when the
 * agent that asked is gone; `jit` off, for its compilation costs more than these statements.
 */
function settings(purpose: Purpose, statementTimeoutMs: number): readonly string[] {
  const pairs: Record<string, string | number> = {
    default_transaction_read_only: 'on',
    statement_timeout: statementTimeoutMs,
    lock_timeout: Math.min(2_000, statementTimeoutMs),
    idle_in_transaction_session_timeout: 30_000,
    client_connection_check_interval: 1_000,
    // A policy would run functions of others: refuse, rather than filter.
    row_security: 'off',
    jit: 'off',
    max_parallel_workers_per_gather: 0,
    // A function's rows are estimated as 1,000 whatever the pool: hashing is right for any number.
    ...(purpose === 'walk'
      ? { work_mem: '256MB', enable_nestloop: 'off', enable_mergejoin: 'off', enable_sort: 'off' }
      : {}),
  };
  return Object.entries(pairs).map(([name, value]) => `-c ${name}=${value}`);
}
