import { type PlanNode, type PlanReading, readPlan } from '../../attribution/plan.ts';
import {
  castParameters,
  parameterCount,
  repairNormalized,
  withoutLocking,
} from '../../attribution/sql-text.ts';
import type { PostgresConnections, Session } from './connections.ts';
import { quoteIdentifier } from './sql.ts';
import { codeOf } from './sqlstates.ts';

export interface PlanAnswer {
  readonly reading: PlanReading;
  /** Compares equal to `Number(queryId)` of the same statement; undefined where the server tells none. */
  readonly queryNumber: number | undefined;
}

export interface PlanRefusal {
  /** SQLSTATE, or '' where the connection failed. */
  readonly sqlState: string;
  readonly message: string;
}

export interface PlanQuestion {
  readonly database: string;
  /** One query, as `shapeOf` gives it. */
  readonly text: string;
  /** Tried in this order; each gets its own answer. */
  readonly paths: readonly (readonly string[])[];
  readonly timeoutMs: number;
}

const undeterminedType = new Set(['42P18', '42P08']);
const maxCasts = 12;
const lockTimeoutMs = 200;

/**
 * Asks the planner, never the executor: EXPLAIN without ANALYZE, one statement by the extended protocol,
 * options in parentheses, in a read-only transaction that is rolled back.
 */
export async function explain(
  connections: PostgresConnections,
  question: PlanQuestion,
): Promise<(PlanAnswer | PlanRefusal)[]> {
  const text = withoutLocking(repairNormalized(question.text));
  return connections.session(question.database, { as: 'explain' }, async (session) => {
    const answers: (PlanAnswer | PlanRefusal)[] = [];
    for (const path of question.paths) {
      const context = { session, path, timeoutMs: question.timeoutMs };
      answers.push(await askWithCasts(context, text));
    }
    return answers;
  });
}

interface AskContext {
  readonly session: Session;
  readonly path: readonly string[];
  readonly timeoutMs: number;
}

/** Casts parameters to text one by one while the server cannot tell their types. */
async function askWithCasts(context: AskContext, text: string): Promise<PlanAnswer | PlanRefusal> {
  let answer = await ask(context, text);
  if ('reading' in answer || !undeterminedType.has(answer.sqlState)) return answer;
  const casts = new Set<number>();
  for (let number = 1; number <= Math.min(maxCasts, parameterCount(text)); number++) {
    const next = await ask(context, castParameters(text, new Set([...casts, number])));
    if ('reading' in next) return next;
    if (undeterminedType.has(next.sqlState)) {
      casts.add(number);
      answer = next;
    }
  }
  return answer;
}

async function ask(context: AskContext, text: string): Promise<PlanAnswer | PlanRefusal> {
  const { session } = context;
  await session.run('BEGIN TRANSACTION READ ONLY');
  try {
    await session.run(
      `SELECT pg_catalog.set_config('search_path', $1, true), pg_catalog.set_config('statement_timeout', $2, true),
              pg_catalog.set_config('lock_timeout', $3, true)`,
      [
        context.path.map(quoteIdentifier).join(', '),
        String(context.timeoutMs),
        String(Math.min(lockTimeoutMs, context.timeoutMs)),
      ],
    );
    return await askPrepared(session, text);
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const sqlState = codeOf(cause);
    // Without an answer of the server the connection is of no use any more.
    if (!/^[0-9A-Z]{5}$/.test(sqlState) || sqlState.startsWith('57P') || sqlState.startsWith('08'))
      throw error;
    return { sqlState, message: cause instanceof Error ? cause.message : String(cause) };
  } finally {
    await session.run('ROLLBACK');
  }
}

/**
 * A generic plan of a prepared statement: `GENERIC_PLAN`, which 16 brought, wants its parameters bound by the
 * extended protocol, and the planner would fold them. Prepared statements outlive a rollback, so the name is
 * freed whatever happens.
 */
async function askPrepared(session: Session, text: string): Promise<PlanAnswer> {
  const count = parameterCount(text);
  if (count === 0) return read(await session.run(`EXPLAIN (VERBOSE, FORMAT JSON) ${text}`));
  // A generic plan that starts with NULLs would prune every partition away.
  await session.run(
    `SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true),
            pg_catalog.set_config('enable_partition_pruning', 'off', true)`,
  );
  await session.run(`PREPARE forewarm_plan AS ${text}`);
  try {
    const nulls = Array.from({ length: count }, () => 'NULL').join(', ');
    return read(await session.run(`EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE forewarm_plan(${nulls})`));
  } finally {
    await deallocate(session);
  }
}

async function deallocate(session: Session): Promise<void> {
  try {
    await session.run('DEALLOCATE forewarm_plan');
  } catch {
    // In a failed transaction nothing runs before it has ended.
    await session.run('ROLLBACK');
    await session.run('DEALLOCATE forewarm_plan');
  }
}

interface ExplainRow {
  readonly 'QUERY PLAN': readonly { readonly Plan?: PlanNode; readonly 'Query Identifier'?: number }[];
}

function read(rows: readonly unknown[]): PlanAnswer {
  const first = (rows[0] as ExplainRow | undefined)?.['QUERY PLAN'][0];
  const reading =
    first?.Plan === undefined ? { tables: [], expressions: [], used: [] } : readPlan(first.Plan);
  return { reading, queryNumber: first?.['Query Identifier'] };
}
