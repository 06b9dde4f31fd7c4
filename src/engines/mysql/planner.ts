import { askable, withoutLiterals } from '../../attribution/mysql-askable.ts';
import { type MysqlPlan, readMysqlPlan } from '../../attribution/mysql-plan.ts';
import type { MysqlConnections } from './connections.ts';
import { isDenied, isTimedOut, leavesSessionUsable } from './error-numbers.ts';
import { quoteIdentifier } from './sql.ts';

export type PlannerAnswer =
  | { readonly kind: 'plan'; readonly plan: MysqlPlan }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Asks for plans. EXPLAIN alone, of queries alone, in a session that may only read: a statement of an
 * application never runs.
 */
export class Planner {
  readonly #connections: MysqlConnections;
  readonly #timeoutMs: number;

  constructor(connections: MysqlConnections, timeoutMs: number) {
    this.#connections = connections;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * `query` is a SELECT, TABLE, VALUES or WITH of those; `isDate` knows columns that take a date. Rejects only
   * where the server cannot be reached.
   */
  async ask(database: string, query: string, isDate: (column: string) => boolean): Promise<PlannerAnswer> {
    let best: PlannerAnswer | undefined;
    // A literal that no row has hides the plan: then it is asked without any.
    const anyValue = withoutLiterals(query);
    const questions = query.includes('?')
      ? ([
          [query, isDate],
          [query, () => true],
          [anyValue, isDate],
        ] as const)
      : ([
          [query, isDate],
          [anyValue, isDate],
        ] as const);
    for (const [question, wantsDate] of questions) {
      const text = askable(question, wantsDate);
      if (text === undefined)
        return { kind: 'refused', reason: 'the server keeps only the beginning of its text' };
      const answer = await this.#explain(database, text);
      if (answer.kind === 'plan' && !answer.plan.empty) return answer;
      if (best === undefined || best.kind === 'refused') best = answer;
      if (answer.kind === 'refused' && !query.includes('?')) break;
    }
    return best ?? { kind: 'refused', reason: 'the planner was not asked' };
  }

  async #explain(database: string, text: string): Promise<PlannerAnswer> {
    const { dialect } = await this.#connections.server();
    try {
      return await this.#connections.session(
        { timeoutMs: this.#timeoutMs, as: 'explain' },
        async (session) => {
          for (const setting of dialect.planSettings) await session.run(setting);
          if (database !== '') await session.run(`USE ${quoteIdentifier(database)}`);
          const rows = await session.run<{ EXPLAIN: string }>(`EXPLAIN FORMAT=JSON ${text}`);
          return { kind: 'plan', plan: readMysqlPlan(parsed(rows[0]?.EXPLAIN ?? '')) };
        },
      );
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (cause === undefined || !leavesSessionUsable(cause)) throw error;
      return { kind: 'refused', reason: reasonOf(cause) };
    }
  }
}

/** Some versions write strings into a plan that make it no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** The server's own words would quote the statement. */
function reasonOf(cause: unknown): string {
  if (isDenied(cause)) return "Forewarm's role may not read its tables";
  if (isTimedOut(cause)) return 'the planner took too long';
  return 'the planner does not take its text';
}
