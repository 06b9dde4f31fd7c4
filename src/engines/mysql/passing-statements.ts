import { createHash } from 'node:crypto';
import { normalized } from '../../attribution/mysql-askable.ts';
import type { MysqlConnections } from './connections.ts';
import { Counters } from './counters.ts';
import type { StatementEvidence } from './evidence.ts';
import type { ObservedSessions } from './observed-sessions.ts';
import { sqlStatement } from './sql.ts';
import { type StatementDelta, type StatementId, statementKey } from './statement.ts';

const executionsStatement = sqlStatement('passing-executions');
const countsStatement = sqlStatement('passing-counts');

interface ExecutionRow {
  readonly threadId: number;
  readonly database: string;
  readonly text: string;
}

interface CountsRow {
  readonly threadId: number;
  readonly calls: number;
  readonly accesses: number;
}

interface Seen {
  readonly statement: StatementId;
  /** Looks at which it ran, fading. */
  looks: number;
}

/** Looks of one sample where such statements were counted, for each lasts much shorter than the time between samples. */
const looksAtOnce = 8;
const faded = 0.05;

/**
 * Statements that are prepared for each execution and closed at once. MariaDB keeps their volume by session, and no
 * text: what they are is told by which of them run at the moment of a look. Coarse: one that is rare and fast may
 * never be seen, and its volume then goes to the others.
 */
export class PassingStatements {
  readonly #connections: MysqlConnections;
  readonly #sessions: ObservedSessions;
  readonly #evidence: StatementEvidence;
  readonly #counts = new Counters<CountsRow>(({ threadId }) => String(threadId));
  readonly #seen = new Map<string, Map<string, Seen>>();
  /** Looks since the last call of `take`, by VM: of sessions too short to be counted they are all that is known. */
  #fresh = new Map<string, number>();
  #counted = false;

  constructor(connections: MysqlConnections, sessions: ObservedSessions, evidence: StatementEvidence) {
    this.#connections = connections;
    this.#sessions = sessions;
    this.#evidence = evidence;
  }

  async sample(): Promise<void> {
    for (let look = this.#counted ? looksAtOnce : 1; look > 0; look--) {
      const rows = await this.#connections.query<ExecutionRow>(executionsStatement);
      if (rows.some(({ threadId }) => this.#sessions.owner(threadId) === undefined)) {
        await this.#sessions.refresh();
      }
      for (const row of rows) this.#see(row);
    }
  }

  #see({ threadId, database, text }: ExecutionRow): void {
    const owner = this.#sessions.owner(threadId);
    if (owner === undefined || owner.own) return;
    const queryId = createHash('sha256').update(normalized(text)).digest('hex');
    const statement = { database, queryId };
    const key = statementKey(statement);
    const seen = this.#seen.get(owner.vm) ?? new Map<string, Seen>();
    this.#seen.set(owner.vm, seen);
    seen.set(key, { statement, looks: (seen.get(key)?.looks ?? 0) + 1 });
    this.#fresh.set(owner.vm, (this.#fresh.get(owner.vm) ?? 0) + 1);
    if (!this.#evidence.knowsText(statement)) this.#evidence.learnText(statement, text);
  }

  /** The volume since the last call, divided among those that were seen; earlier looks fade by `keep`. */
  async take(keep: number): Promise<StatementDelta[]> {
    const volumes = this.#fresh;
    this.#fresh = new Map();
    const grown = this.#counts.take(await this.#connections.query<CountsRow>(countsStatement), true);
    const counts = new Map<string, number>();
    for (const { row, accesses } of grown) {
      const owner = this.#sessions.owner(row.threadId);
      if (owner !== undefined && !owner.own) counts.set(owner.vm, (counts.get(owner.vm) ?? 0) + accesses);
    }
    this.#counted = counts.size > 0;
    for (const [vm, count] of counts) volumes.set(vm, Math.max(count, volumes.get(vm) ?? 0));
    const deltas = [...volumes].flatMap(([vm, volume]) => this.#divide(vm, volume));
    this.#age(keep);
    return deltas;
  }

  #divide(vm: string, volume: number): StatementDelta[] {
    const seen = [...(this.#seen.get(vm)?.values() ?? [])];
    const total = seen.reduce((sum, { looks }) => sum + looks, 0);
    return seen.map(({ statement, looks }) => ({
      ...statement,
      accesses: (volume * looks) / total,
      vm,
      coarse: true,
    }));
  }

  #age(keep: number): void {
    for (const [vm, seen] of this.#seen) {
      for (const [key, one] of seen) {
        one.looks *= keep;
        if (one.looks < faded) seen.delete(key);
      }
      if (seen.size === 0) this.#seen.delete(vm);
    }
  }
}
