import pg from 'pg';
import { ForewarmError } from '../../lib/errors.ts';

/** Where one entry of `[databases]` points to, as PgBouncer runs with it now. */
export interface PointsTo {
  /** Null where the entry has none: a local socket. */
  readonly host: string | null;
  readonly port: string;
}

const connectMs = 5_000;
const answerMs = 10_000;

/** PgBouncer's admin console. It takes plain statements only, one at a time. */
export class PgBouncerConsole {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  /** Connects, works, closes. Rejects with `output_failed` where the console does not answer or refuses. */
  static async use<T>(url: string, work: (console: PgBouncerConsole) => Promise<T>): Promise<T> {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectMs,
      query_timeout: answerMs,
    });
    // A console that goes away says so by the statement under way.
    client.on('error', () => {});
    try {
      await client.connect();
    } catch (error) {
      await client.end().catch(() => {});
      throw consoleError('does not let us in', error);
    }
    try {
      return await work(new PgBouncerConsole(client));
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** Reads its files anew. PgBouncer keeps what it had where it finds a fault in them, and says so in its log alone. */
  async reload(): Promise<void> {
    await this.#run('RELOAD');
  }

  /** Closes each server connection of that entry once its client is done with it, by the mode of pooling. */
  async reconnect(database: string): Promise<void> {
    await this.#run(database === '*' ? 'RECONNECT' : `RECONNECT "${database.replaceAll('"', '""')}"`);
  }

  /** Server connections that are not marked to be closed once their clients are done with them. */
  async kept(): Promise<ReadonlySet<string>> {
    const rows = await this.#run('SHOW SERVERS');
    const kept = rows.filter((row) => Number(row['close_needed']) === 0);
    // Addresses in memory are used again; with the time they are not.
    return new Set(kept.map((row) => `${row['database']} ${row['ptr']} ${row['connect_time']}`));
  }

  /** Whether PgBouncer is logging in to a server for one of these entries. */
  async logsIn(databases: readonly string[]): Promise<boolean> {
    const rows = await this.#run('SHOW POOLS');
    return rows.some(
      ({ database, sv_login: count }) =>
        Number(count) > 0 && (databases.includes('*') || databases.includes(String(database))),
    );
  }

  async pointsTo(): Promise<ReadonlyMap<string, PointsTo>> {
    const rows = await this.#run('SHOW DATABASES');
    return new Map(
      rows.map(({ name, host, port }) => [String(name), { host: host as string | null, port: String(port) }]),
    );
  }

  async #run(statement: string): Promise<Record<string, unknown>[]> {
    try {
      return (await this.#client.query<Record<string, unknown>>(statement)).rows;
    } catch (error) {
      throw consoleError(`refused ${statement}`, error);
    }
  }
}

function consoleError(what: string, error: unknown): ForewarmError {
  return new ForewarmError('output_failed', `PgBouncer's console ${what}: ${messageOf(error)}`, {
    hint: "Check pgbouncer.admin, and that its user is among PgBouncer's admin_users.",
    cause: error,
  });
}

/** A host with several addresses fails with an error that has a message in each of its parts only. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
