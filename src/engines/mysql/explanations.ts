import { writtenTables } from '../../attribution/mysql-tables.ts';
import {
  assignedColumns,
  plainQuotes,
  readsOnlySystem,
  shapeOf,
  withoutExecute,
} from '../../attribution/mysql-text.ts';
import { tokenize } from '../../attribution/mysql-tokens.ts';
import type { Catalog, CatalogTable, ResolvedTable } from './catalog.ts';
import type { StatementEvidence } from './evidence.ts';
import type { Planner, PlannerAnswer } from './planner.ts';
import { type StatementId, statementKey } from './statement.ts';

/** What a statement does with one table. */
export interface Touch {
  readonly table: CatalogTable;
  /** Undefined where only the table is known. */
  readonly index: string | undefined;
  /** Further indexes that each access needs. */
  readonly also: readonly string[];
  /** Expected accesses; only their proportions matter. */
  readonly rows: number;
  /** The server counts no access by the way that is taken. */
  readonly uncounted?: true;
}

export type Explanation =
  | { readonly kind: 'touches'; readonly touches: readonly Touch[] }
  /** No table of an application is in it. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unknown'; readonly reason: string };

interface Known {
  readonly explanation: Explanation;
  readonly staleAtMs: number;
}

export interface ExplanationsOptions {
  readonly planner: Planner;
  readonly catalog: Catalog;
  readonly evidence: StatementEvidence;
  readonly nowMs: () => number;
}

const plansLastMs = 900_000;
const retryMs = 60_000;
const questionsAtOnce = 100;
const roundMs = 2_000;
/** Digests end at `max_digest_length` without a word: so long a text that names no table may have lost it. */
const longText = 500;
export const clustered = 'PRIMARY';

/** What each statement touches, asked once in a while and kept. */
export class Explanations {
  readonly #options: ExplanationsOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: ExplanationsOptions) {
    this.#options = options;
  }

  /** Undefined where it was not asked yet. */
  of(statement: StatementId): Explanation | undefined {
    return this.#known.get(statementKey(statement))?.explanation;
  }

  /** By its text alone: settings, transactions, the server's own catalogs. */
  touchesNothing(statement: StatementId): boolean {
    const known = this.of(statement);
    if (known !== undefined) return known.kind === 'nothing';
    const text = this.#options.evidence.text(statement);
    if (text === undefined) return false;
    const nothing = shapeOf(text).kind === 'control' || readsOnlySystem(writtenTables(tokenize(text)));
    if (nothing) this.#learn(statement, { kind: 'nothing' });
    return nothing;
  }

  #learn(statement: StatementId, explanation: Explanation): void {
    const lasts = explanation.kind === 'unknown' ? retryMs : plansLastMs;
    this.#known.set(statementKey(statement), { explanation, staleAtMs: this.#options.nowMs() + lasts });
  }

  /** Asks about those that are not known, the first ones first, within a bound of questions and time. */
  async explainAll(statements: readonly StatementId[]): Promise<void> {
    const { nowMs, evidence } = this.#options;
    const until = nowMs() + roundMs;
    let questions = 0;
    for (const statement of statements) {
      const known = this.#known.get(statementKey(statement));
      if (known !== undefined && nowMs() < known.staleAtMs) continue;
      const text = evidence.text(statement);
      if (text === undefined) continue;
      if (questions++ >= questionsAtOnce || nowMs() > until) return;
      this.#learn(statement, await this.#explain(statement, text));
    }
  }

  /** Forgets what was not asked about for long. */
  prune(): void {
    const nowMs = this.#options.nowMs();
    for (const [key, known] of this.#known) {
      if (nowMs > known.staleAtMs + plansLastMs) this.#known.delete(key);
    }
  }

  async #explain(statement: StatementId, kept: string): Promise<Explanation> {
    const { catalog, planner, evidence } = this.#options;
    const text = plainQuotes(withoutExecute(kept));
    const { database } = statement;
    const shape = shapeOf(text);
    if (shape.kind === 'control') return { kind: 'nothing' };
    if (shape.kind === 'opaque')
      return { kind: 'unknown', reason: `${shape.verb.toUpperCase()} hides what it touches` };
    const cut = evidence.isCut(statement);
    const beginning: PlannerAnswer = {
      kind: 'refused',
      reason: 'the server keeps only the beginning of its text',
    };
    const written = writtenTables(tokenize(text));
    if (written.length === 0 && (cut || text.length >= longText))
      return { kind: 'unknown', reason: beginning.reason };
    if (written.length === 0 || readsOnlySystem(written)) return { kind: 'nothing' };
    const named = await catalog.resolve(written, database);
    const isDate = (column: string) => named.some(({ table }) => table.dates.has(column));
    if (shape.kind === 'query') {
      const answer = cut ? beginning : await planner.ask(database, text, isDate);
      return this.#conclude(this.#read(answer, named), answer);
    }
    const query = cut ? undefined : shape.asQuery;
    const answer = query === undefined ? undefined : await planner.ask(database, query, isDate);
    const inBody = await catalog.resolve(writtenTables(tokenize(shape.target ?? '')), database);
    const target = inBody[0]?.table;
    const asked = await catalog.resolve(writtenTables(tokenize(query ?? '')), database);
    const read = answer === undefined ? [] : this.#read(answer, asked);
    // What stands beside the query, as in SET a = (SELECT …).
    const beside = named.filter(({ table }) => table !== target && asked.every((one) => one.table !== table));
    const wrote = target === undefined ? [] : [writtenTouch(target, shape.verb, text)];
    return this.#conclude([...wrote, ...read, ...unknownIndexes(beside)], cut ? beginning : answer);
  }

  #conclude(touches: readonly Touch[], answer: PlannerAnswer | undefined): Explanation {
    if (touches.length > 0) return { kind: 'touches', touches };
    const reason = answer?.kind === 'refused' ? answer.reason : 'it names no table of a watched database';
    return { kind: 'unknown', reason };
  }

  /** The planner's word on indexes, and the text's on tables where the planner says nothing. */
  #read(answer: PlannerAnswer, named: readonly ResolvedTable[]): Touch[] {
    if (answer.kind === 'refused') return unknownIndexes(named);
    const touches: Touch[] = [];
    for (const { alias, indexes, rows, covering, ranged } of answer.plan.accesses) {
      const called = named.filter((one) => one.alias.toLowerCase() === alias.toLowerCase());
      // One name may stand for several tables in several parts of a statement.
      const fitting = called.filter(({ table }) => indexes.every((index) => table.indexes.has(index)));
      for (const { table } of fitting) {
        const part = rows / fitting.length / Math.max(1, indexes.length);
        if (indexes.length === 0) touches.push({ table, index: clustered, also: [], rows: part });
        for (const index of indexes) {
          if (table.fullText.has(index)) {
            touches.push({ table, index: clustered, also: [], rows: part, uncounted: true });
            continue;
          }
          const also = covering || index === clustered ? [] : [clustered];
          touches.push({
            table,
            index,
            also,
            rows: part,
            ...(table.partitioned && ranged ? { uncounted: true } : {}),
          });
        }
      }
    }
    if (touches.length === 0) return unknownIndexes(named);
    if (!answer.plan.partial) return touches;
    return [
      ...touches,
      ...unknownIndexes(named.filter((one) => touches.every((t) => t.table !== one.table))),
    ];
  }
}

function unknownIndexes(tables: readonly ResolvedTable[]): Touch[] {
  return [...new Set(tables.map((one) => one.table))].map((table) => ({
    table,
    index: undefined,
    also: [],
    rows: 1,
  }));
}

/** A row that is written is written in the clustered index, and in every other that holds what changed. */
function writtenTouch(table: CatalogTable, verb: string, text: string): Touch {
  const secondary = [...table.indexes].filter(([index]) => index !== clustered);
  const changed = verb === 'update' ? assignedColumns(text) : undefined;
  const also = secondary
    .filter(([, columns]) => changed === undefined || columns.some((column) => changed.has(column)))
    .map(([index]) => index);
  return { table, index: clustered, also, rows: 1 };
}
