import type { PostgresConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const countsStatement = sqlStatement('statement-counts');
const textsStatement = sqlStatement('statement-texts');

interface CountsRow {
  readonly userId: string;
  readonly user: string;
  readonly database: string;
  readonly queryId: string;
  readonly topLevel: boolean;
  readonly calls: number;
  readonly hit: number;
  readonly read: number;
}

/** What one statement of one role on one database did since the last look. */
export interface StatementDelta {
  readonly user: string;
  readonly database: string;
  readonly queryId: string;
  /** False: run inside another statement, whose own counts include these. */
  readonly topLevel: boolean;
  readonly hit: number;
  readonly read: number;
}

export interface StatementText {
  readonly queryId: string;
  readonly user: string;
  readonly database: string;
  readonly text: string;
}

export const statementKey = (statement: { user: string; database: string; queryId: string }): string =>
  JSON.stringify([statement.user, statement.database, statement.queryId]);

const textsAtOnce = 400;

/** Differences of `pg_stat_statements` between looks; a reset or an entry that came anew counts from zero. */
export class StatementCounters {
  readonly #connections: PostgresConnections;
  #before: Map<string, CountsRow> | undefined;

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
  }

  /** Undefined at the first call, which only sets the baseline. */
  async deltas(): Promise<StatementDelta[] | undefined> {
    const rows = await this.#fromAny<CountsRow>(countsStatement, []);
    const now = new Map<string, CountsRow>();
    for (const row of rows)
      now.set(JSON.stringify([row.userId, row.database, row.queryId, row.topLevel]), row);
    const before = this.#before;
    this.#before = now;
    if (before === undefined) return undefined;
    const deltas: StatementDelta[] = [];
    for (const [key, row] of now) {
      const last = before.get(key);
      const anew = last === undefined || row.calls < last.calls || row.hit < last.hit || row.read < last.read;
      const hit = row.hit - (anew ? 0 : last.hit);
      const read = row.read - (anew ? 0 : last.read);
      const { user, database, queryId, topLevel } = row;
      if (hit + read > 0) deltas.push({ user, database, queryId, topLevel, hit, read });
    }
    return deltas;
  }

  /** Texts of these statements, and of every PREPARE, DECLARE and SET search_path. */
  async texts(queryIds: readonly string[]): Promise<StatementText[]> {
    return this.#fromAny<StatementText>(textsStatement, [queryIds.slice(0, textsAtOnce)]);
  }

  /** The view shows the whole server, from whichever database has the extension. */
  async #fromAny<T>(statement: typeof countsStatement, params: readonly unknown[]): Promise<T[]> {
    const { databases, mainDatabase } = this.#connections;
    for (const database of databases) {
      if ((await this.#connections.extensions(database)).has('pg_stat_statements')) {
        return this.#connections.query<T>(database, statement, params);
      }
    }
    return this.#connections.query<T>(mainDatabase, statement, params);
  }
}
