import { type Clock, systemClock } from '../../lib/clock.ts';
import { ForewarmError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { MysqlConnections } from './connections.ts';
import { isTakenAway } from './error-numbers.ts';
import { indexKey } from './index-usage.ts';
import type { ObservedSessions } from './observed-sessions.ts';
import { type SqlStatement, sqlStatement } from './sql.ts';

const countStatement = sqlStatement('count-alone');
const resumeStatement = sqlStatement('resume-counting');
const uncountedStatement = sqlStatement('uncounted-threads');

/** For so long a VM is counted, and all others are not. */
const windowMs = 1_000;
const faded = 0.5;

interface CountRow {
  readonly database: string;
  readonly table: string;
  readonly index: string;
  readonly accesses: number;
}

/** Accesses of one VM by `indexKey`, fading. */
export type ExactAccesses = ReadonlyMap<string, number>;

/**
 * Counts the row accesses of one VM's sessions alone, every so often, each VM in its turn. Meanwhile the server keeps no
 * statistics of anybody else; the server takes that back at the end of the call, and this where the call was killed.
 */
export class ExactCounts {
  readonly #connections: MysqlConnections;
  readonly #sessions: ObservedSessions;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #counted = new Map<string, Map<string, number>>();
  #lastMs: number;
  #lastVm = '';
  #allowed = true;
  #checked = false;

  /** `everyMs`: 0 is never. */
  constructor(options: {
    readonly connections: MysqlConnections;
    readonly sessions: ObservedSessions;
    readonly logger: Logger;
    readonly everyMs: number;
    readonly clock?: Clock;
  }) {
    this.#connections = options.connections;
    this.#sessions = options.sessions;
    this.#logger = options.logger;
    this.#everyMs = options.everyMs;
    this.#clock = options.clock ?? systemClock;
    this.#lastMs = Number.NEGATIVE_INFINITY;
  }

  /** What was counted of a VM alone; undefined where nothing was. */
  of(vm: string): ExactAccesses | undefined {
    return this.#counted.get(vm);
  }

  /** Counts one VM where it is time to. Sessions must have been looked at. */
  async collect(keep: number): Promise<void> {
    this.#age(keep);
    if (this.#everyMs <= 0 || !this.#allowed) return;
    if (!this.#checked) await this.#resume([]);
    this.#checked = true;
    const nowMs = this.#clock.monotonicMs();
    const vm = this.#nextVm();
    if (vm === undefined || nowMs - this.#lastMs < this.#everyMs) return;
    this.#lastMs = nowMs;
    this.#lastVm = vm;
    await this.#count(vm);
  }

  async #count(vm: string): Promise<void> {
    const before = await this.#connections.query<{ threadId: number }>(uncountedStatement);
    const threads = this.#sessions.threadsOf(vm);
    try {
      const results = await this.#call(countStatement, [threads.join(), windowMs]);
      const accesses = accessesIn(results, new Set(this.#connections.databases));
      // A session that began meanwhile is counted, whoever it belongs to.
      if (accesses === undefined) this.#logger.debug({ vm }, 'a count of one VM alone tells nothing');
      else this.#add(vm, accesses);
    } catch (error) {
      // It is told, and never tried again: what stops it once may do so every time.
      this.#allowed = false;
      const cause = error instanceof ForewarmError ? error.cause : undefined;
      const code = error instanceof ForewarmError ? error.code : 'internal';
      this.#logger.warn(
        { code },
        'VMs are no longer counted alone; run setup.sql of sql/mysql if that was denied',
      );
      if (!isTakenAway(cause)) await this.#resume(before.map(({ threadId }) => threadId));
    }
  }

  /** A session that was killed could not do it itself, nor an agent that died with it. */
  async #resume(uncounted: readonly number[]): Promise<void> {
    try {
      await this.#call(resumeStatement, [uncounted.join()]);
    } catch (error) {
      const code = error instanceof ForewarmError ? error.code : 'internal';
      // A server that is gone begins anew with all threads counted.
      const level = code === 'database_unreachable' ? 'debug' : 'warn';
      this.#logger[level]({ code }, 'statistics of sessions may still be stopped');
    }
  }

  /** Of all that Forewarm runs, these calls alone change something that a read-only session may not. */
  #call(statement: SqlStatement, params: readonly unknown[]): Promise<unknown[]> {
    return this.#connections.session({ purpose: 'count', as: 'settings' }, async (session) => {
      await session.run('SET SESSION TRANSACTION READ WRITE');
      try {
        return await session.query<unknown>(statement, params);
      } finally {
        await session.run('SET SESSION TRANSACTION READ ONLY').catch(() => {});
      }
    });
  }

  #nextVm(): string | undefined {
    const vms = [...this.#sessions.vms].sort();
    return vms.find((vm) => vm > this.#lastVm) ?? vms[0];
  }

  #add(vm: string, accesses: ExactAccesses): void {
    const known = this.#counted.get(vm) ?? new Map<string, number>();
    for (const [key, count] of accesses) known.set(key, (known.get(key) ?? 0) + count);
    this.#counted.set(vm, known);
  }

  #age(keep: number): void {
    for (const [vm, counts] of this.#counted) {
      for (const [key, count] of counts) {
        if (count * keep < faded) counts.delete(key);
        else counts.set(key, count * keep);
      }
      if (counts.size === 0) this.#counted.delete(vm);
    }
  }
}

/** What grew between the two readings; undefined where there are none, or sessions began between them. */
function accessesIn(
  results: readonly unknown[],
  databases: ReadonlySet<string>,
): Map<string, number> | undefined {
  const [connectedBefore, before, after, connectedAfter] = results as readonly (
    | readonly Record<string, unknown>[]
    | undefined
  )[];
  if (!Array.isArray(before) || !Array.isArray(after)) return undefined;
  if (connectedBefore?.[0]?.['connections'] !== connectedAfter?.[0]?.['connections']) return undefined;
  const keyOf = ({ database, table, index }: CountRow) => indexKey(database, table, index);
  const known = new Map((before as CountRow[]).map((row) => [keyOf(row), row.accesses]));
  const grown = (after as CountRow[])
    .filter(({ database }) => databases.has(database))
    .map((row) => [keyOf(row), row.accesses - (known.get(keyOf(row)) ?? 0)] as const);
  return new Map(grown.filter(([, count]) => count > 0));
}
