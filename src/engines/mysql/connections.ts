import mysql from 'mysql2/promise';
import { ForewarmError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { EngineOptions, QueryListener } from '../engine.ts';
import { timed } from '../timed.ts';
import { classify, leavesSessionUsable, numberOf } from './error-numbers.ts';
import { type SqlStatement, sqlStatement } from './sql.ts';
import { type Dialect, type ServerVersion, versionOf } from './versions.ts';

const versionStatement = sqlStatement('version');

/** What a connection is for. Each has its own few, so that a long read never delays a sample. */
export type Purpose = 'observe' | 'walk' | 'warm' | 'admit' | 'count' | 'cancel';

export type ConnectionsOptions = Omit<EngineOptions, 'vms'>;

export interface QueryOptions {
  readonly purpose?: Purpose;
  /** Kills the statement at the server; the query then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Bound of these statements in place of `statementTimeoutMs`, at most that. */
  readonly timeoutMs?: number;
  /** What texts made at run time are called in errors and metrics; one of a few. */
  readonly as?: string;
}

/** A connection held for several statements. Values are escaped by the driver. */
export interface Session {
  query<T>(statement: SqlStatement, params?: readonly unknown[]): Promise<T[]>;
  /** One statement: the protocol refuses several. Rows come as objects. */
  run<T>(text: string, params?: readonly unknown[]): Promise<T[]>;
}

/** Connections to one server. Rejects with ForewarmError; its `cause` is the driver's error. */
export interface MysqlConnections {
  readonly replica: string;
  /** Databases whose tables are watched and warmed. */
  readonly databases: readonly string[];
  readonly statementTimeoutMs: number;
  /** Product and version, as of the last `refresh` or first use. */
  server(): Promise<ServerVersion>;
  /** Forgets what is known of the server; it is read anew at its next use. */
  refresh(): void;
  query<T>(statement: SqlStatement, params?: readonly unknown[], options?: QueryOptions): Promise<T[]>;
  /** The connection is thrown away where `work` rejects for it, or was aborted. */
  session<T>(options: QueryOptions, work: (session: Session) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Connections of each purpose at most; they are opened when they are needed. */
const poolSizes: Record<Purpose, number> = { observe: 2, walk: 1, warm: 16, admit: 1, count: 1, cancel: 1 };
const idleMs = 60_000;
const connectTimeoutMs = 5_000;
/** The server ends a statement by itself; a connection that is half open is given up this much later. */
const graceMs = 2_000;

/**
 * Of every session. Nothing that Forewarm runs writes, locks rows, or waits long for a lock; `sql_mode` is
 * plain, for the driver's escaping needs backslashes and double quotes in their usual meaning. An answer from the
 * query cache would read nothing, and a server's limits on rows would cut off catalogs and refuse large tables.
 */
const sessionSettings = [
  'SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED, READ ONLY',
  "SET SESSION sql_mode = '', autocommit = 1, lock_wait_timeout = 2, innodb_lock_wait_timeout = 1, time_zone = '+00:00'",
  'SET SESSION sql_select_limit = 18446744073709551615, sql_big_selects = 1',
  'SET /*M!100600 SESSION query_cache_type = OFF, */ @forewarm = NULL',
  // Fresh sizes from the dictionary, and EXPLAIN as a table, where a server knows of anything else.
  "SET /*!80003 SESSION information_schema_stats_expiry = 0, */ /*!80032 SESSION explain_format = 'TRADITIONAL', */ SESSION net_write_timeout = 30",
];

export function createMysqlConnections(options: ConnectionsOptions): MysqlConnections {
  return new Connections(options);
}

class Connections implements MysqlConnections {
  readonly replica: string;
  readonly databases: readonly string[];
  readonly statementTimeoutMs: number;
  readonly #options: mysql.PoolOptions;
  readonly #logger: Logger;
  readonly #onQuery: QueryListener | undefined;
  readonly #pools = new Map<Purpose, mysql.Pool>();
  #server: Promise<ServerVersion> | undefined;
  #dialect: Dialect | undefined;
  #closed = false;

  constructor(options: ConnectionsOptions) {
    this.replica = options.replica;
    this.statementTimeoutMs = options.statementTimeoutMs;
    this.#logger = options.logger;
    this.#onQuery = options.onQuery;
    const { settings, database } = parseUrl(options.url);
    this.#options = settings;
    const own = database === '' ? [] : [database];
    this.databases = options.databases.length > 0 ? [...new Set(options.databases)] : own;
  }

  server(): Promise<ServerVersion> {
    if (this.#server !== undefined) return this.#server;
    const reading = this.query<{ version: string }>(versionStatement).then(([row]) =>
      versionOf(row?.version ?? ''),
    );
    this.#server = reading;
    reading.then(
      ({ dialect }) => {
        this.#dialect = dialect;
      },
      () => {
        if (this.#server === reading) this.#server = undefined;
      },
    );
    return reading;
  }

  refresh(): void {
    this.#server = undefined;
  }

  async query<T>(
    statement: SqlStatement,
    params: readonly unknown[] = [],
    options: QueryOptions = {},
  ): Promise<T[]> {
    return this.session(options, (session) => session.query<T>(statement, params));
  }

  async session<T>(options: QueryOptions, work: (session: Session) => Promise<T>): Promise<T> {
    const { signal, purpose = 'observe', as = 'other' } = options;
    signal?.throwIfAborted();
    const connection = await this.#connect(purpose);
    let broken = false;
    const cancel = () => {
      broken = true;
      void this.#kill(connection.threadId);
    };
    signal?.addEventListener('abort', cancel, { once: true });
    const timeoutMs = Math.min(options.timeoutMs ?? this.statementTimeoutMs, this.statementTimeoutMs);
    try {
      // The statement that asks which server it is can be bounded by the driver alone.
      const dialect = this.#dialect;
      if (dialect !== undefined && purpose !== 'admit') {
        await this.#run(connection, dialect.boundStatements(timeoutMs), [], 'settings', timeoutMs);
      }
      return await work({
        run: (text, params = []) => this.#run(connection, text, params, as, timeoutMs),
        query: ({ name, text }, params = []) => this.#run(connection, text, params, name, timeoutMs),
      });
    } catch (error) {
      const cause = error instanceof ForewarmError ? error.cause : undefined;
      broken ||= cause !== undefined && !leavesSessionUsable(cause);
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', cancel);
      if (broken) connection.destroy();
      else connection.release();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.allSettled(pools.map((pool) => pool.end()));
  }

  async #run<T>(
    connection: mysql.PoolConnection,
    text: string,
    params: readonly unknown[],
    name: string,
    timeoutMs: number,
  ): Promise<T[]> {
    try {
      const [rows] = await timed(this.#onQuery, name, () =>
        connection.query({ sql: text, values: [...params], timeout: timeoutMs + graceMs }),
      );
      return (Array.isArray(rows) ? rows : []) as T[];
    } catch (error) {
      throw this.#explain(error, name);
    }
  }

  async #connect(purpose: Purpose): Promise<mysql.PoolConnection> {
    if (this.#closed) {
      throw new ForewarmError('database_unreachable', `${this.replica}: the connections are closed`);
    }
    try {
      return await this.#pool(purpose).getConnection();
    } catch (error) {
      throw this.#explain(error, 'connecting');
    }
  }

  #pool(purpose: Purpose): mysql.Pool {
    const known = this.#pools.get(purpose);
    if (known !== undefined) return known;
    const pool = mysql.createPool({
      ...this.#options,
      connectionLimit: poolSizes[purpose],
      maxIdle: poolSizes[purpose],
      idleTimeout: idleMs,
      connectTimeout: connectTimeoutMs,
      enableKeepAlive: true,
      charset: 'utf8mb4',
      // Keys come back as they are written, whatever their type: they are sent again as bounds.
      supportBigNumbers: true,
      bigNumberStrings: true,
      dateStrings: true,
      timezone: 'Z',
      connectAttributes: { program_name: `forewarm:${this.replica}` },
    });
    pool.on('connection', (connection) => {
      // Without a listener the end of an idle connection, as in a restart, would end the process.
      connection.on('error', (error: unknown) => {
        this.#logger.debug({ purpose, number: numberOf(error) }, 'an idle connection ended');
      });
      // The event carries the driver's own connection, whose queries take a callback.
      const plain = connection as unknown as { query(sql: string, done: () => void): void };
      for (const text of sessionSettings) plain.query(text, () => {});
    });
    this.#pools.set(purpose, pool);
    return pool;
  }

  /** By a second connection, since the first is busy; a failure leaves it to the statement's own time-out. */
  async #kill(threadId: number | null): Promise<void> {
    if (threadId === null || this.#closed) return;
    await this.session({ purpose: 'cancel', as: 'cancel' }, (session) =>
      session.run('KILL QUERY ?', [threadId]),
    ).catch(() => {});
  }

  #explain(error: unknown, doing: string): ForewarmError {
    if (error instanceof ForewarmError) return error;
    const { code, hint } = classify(error);
    const number = numberOf(error);
    const said = error instanceof Error ? error.message : String(error);
    const tail = number === '' ? '' : ` (${number})`;
    return new ForewarmError(code, `${this.replica}, ${doing}: ${said}${tail}`, { hint, cause: error });
  }
}

function parseUrl(url: string): { settings: mysql.PoolOptions; database: string } {
  const wrong = () =>
    new ForewarmError('config_invalid', 'database.url is not a connection string', {
      hint: 'Write it as mysql://user@host:3306/database, or mysql://user@localhost/database?socketPath=/run/mysqld/mysqld.sock.',
    });
  // The parser's error quotes the URL with its password: it is not passed on.
  if (!URL.canParse(url)) throw wrong();
  const { protocol, hostname, port, username, password, pathname, searchParams } = new URL(url);
  if (protocol !== 'mysql:' && protocol !== 'mariadb:') throw wrong();
  const socketPath = searchParams.get('socketPath');
  const verify = searchParams.get('ssl');
  return {
    database: decodeURIComponent(pathname.slice(1)),
    settings: {
      ...(socketPath === null
        ? { host: hostname.replace(/^\[|\]$/g, '') || '127.0.0.1', port: Number(port || 3306) }
        : { socketPath }),
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      ...(verify === null ? {} : { ssl: { rejectUnauthorized: verify !== 'no-verify' } }),
    },
  };
}
