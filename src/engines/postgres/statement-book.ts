import { type StatementShape, shapeOf, writtenNames } from '../../attribution/sql-text.ts';
import { type Explainer, type Explanation, ownTables } from './explanations.ts';
import type { Catalog } from './relation-stats.ts';
import type { SearchPathSettings } from './search-paths.ts';
import { executeAlias, type SessionEvidence } from './sessions.ts';
import { type StatementCounters, statementKey } from './statements.ts';

export interface StatementId {
  readonly user: string;
  readonly database: string;
  readonly queryId: string;
}

/** One VM's part of a statement. */
export interface BookEntry {
  readonly statement: StatementId;
  readonly vm: string;
  /** Aged accesses. */
  readonly aged: number;
  /** Accesses that wait to be explained. */
  readonly pending: number;
}

interface Known {
  readonly shape: StatementShape;
  readonly text: string;
  explanation?: Explanation;
  explainedAtMs: number;
  examples: number;
  /** Times in a row that something passing stood in the planner's way. */
  hindered: number;
}

const explanationLifeMs = 600_000;
const retryMs = 60_000;
/** The first wait after a passing refusal; each that follows is twice as long, up to `retryMs`. */
const passingRetryMs = 500;
const explainsAtOnce = 100;
const explainBudgetMs = 4_000;
const statementLimit = 10_000;
const examplesLimit = 3;

/** What is known of each statement: its text's shape, and what the planner said, for a time. */
export class StatementBook {
  readonly #counters: StatementCounters;
  readonly #evidence: SessionEvidence;
  readonly #settings: SearchPathSettings;
  readonly #nowMs: () => number;
  readonly #known = new Map<string, Known>();
  /** Queries behind names of prepared statements and cursors, by role, database and name. */
  readonly #aliases = new Map<string, string>();

  constructor(options: {
    readonly counters: StatementCounters;
    readonly evidence: SessionEvidence;
    readonly settings: SearchPathSettings;
    readonly nowMs: () => number;
  }) {
    this.#counters = options.counters;
    this.#evidence = options.evidence;
    this.#settings = options.settings;
    this.#nowMs = options.nowMs;
  }

  /** Fetches texts only when there is a statement not seen before. */
  async learnTexts(statements: readonly StatementId[]): Promise<void> {
    const missing = statements.filter((one) => !this.#known.has(statementKey(one)));
    if (missing.length === 0) return;
    for (const one of await this.#counters.texts([...new Set(missing.map((m) => m.queryId))])) {
      const shape = shapeOf(one.text);
      const alias = shape.kind === 'query' ? (shape.prepares ?? shape.declares) : undefined;
      if (shape.kind === 'query' && alias !== undefined) {
        this.#aliases.set(JSON.stringify([one.user, one.database, alias]), shape.text);
      }
      if (shape.kind === 'set_path') this.#evidence.addPath(one.user, one.database, shape.path);
      const key = statementKey(one);
      if (!this.#known.has(key)) {
        this.#known.set(key, {
          shape,
          text: one.text,
          explainedAtMs: Number.NEGATIVE_INFINITY,
          examples: 0,
          hindered: 0,
        });
      }
    }
    for (const key of this.#known.keys()) {
      if (this.#known.size <= statementLimit) break;
      this.#known.delete(key);
    }
  }

  /** What sessions show instead of this statement's id while it runs. */
  aliasOf(statement: StatementId): string | undefined {
    const shape = this.#known.get(statementKey(statement))?.shape;
    return shape?.kind === 'query' && shape.prepares !== undefined ? executeAlias(shape.prepares) : undefined;
  }

  /**
   * VMs that hold locks on tables which only one reading of the statement has: they run it, even where no look
   * met them at it.
   */
  lockersOf(statement: StatementId): readonly string[] {
    const all = this.explanationOf(statement)?.resolutions ?? [];
    if (all.length < 2) return [];
    const tables = new Set(all.flatMap((one) => ownTables(one, all)));
    return this.#evidence
      .vmsOf(statement.user, statement.database)
      .filter((vm) =>
        [...this.#evidence.locks(vm, statement.database).byOid.keys()].some((oid) => tables.has(oid)),
      );
  }

  explanationOf(statement: StatementId): Explanation | undefined {
    return this.#known.get(statementKey(statement))?.explanation;
  }

  reasonFor(statement: StatementId): string | undefined {
    const known = this.#known.get(statementKey(statement));
    if (known === undefined) return 'its text is not at hand';
    if (known.explanation === undefined) return 'the planner was not asked yet';
    return known.explanation.refusal;
  }

  /** The most voluminous first, within a number and a time; the rest at the next call. */
  async explainAll(
    explainer: Explainer,
    database: string,
    entries: readonly BookEntry[],
    known: { catalog: Catalog; columns: ReadonlyMap<string, number> },
  ): Promise<void> {
    const endMs = this.#nowMs() + explainBudgetMs;
    const volumes = new Map<string, { statement: StatementId; pending: number; vms: string[] }>();
    for (const { statement, vm, pending } of entries) {
      const key = statementKey(statement);
      const one = volumes.get(key) ?? { statement, pending: 0, vms: [] };
      one.pending += pending;
      one.vms.push(vm);
      volumes.set(key, one);
    }
    const due = [...volumes.values()]
      .filter((one) => one.pending > 0 && this.#isDue(one.statement, one.vms, known.catalog))
      .sort((a, b) => b.pending - a.pending)
      .slice(0, explainsAtOnce);
    for (const one of due) {
      if (this.#nowMs() > endMs) break;
      await this.#explain(explainer, database, one, known);
    }
  }

  #isDue(statement: StatementId, vms: readonly string[], catalog: Catalog): boolean {
    const known = this.#known.get(statementKey(statement));
    if (known === undefined || known.shape.kind === 'control') return false;
    if (known.explanation === undefined) return true;
    const ageMs = this.#nowMs() - known.explainedAtMs;
    if (ageMs > explanationLifeMs) return true;
    const waitMs = Math.min(retryMs, passingRetryMs * 2 ** (known.hindered - 1));
    if (known.hindered > 0 && ageMs > waitMs) return true;
    if (!unsure(known.explanation)) return false;
    const locked = this.#lockedSchemas(statement, vms, known.text, catalog);
    if (locked.some((schema) => !known.explanation?.schemas.has(schema))) return true;
    return ageMs > retryMs || this.#examples(statement, vms).length > known.examples;
  }

  async #explain(
    explainer: Explainer,
    database: string,
    one: { statement: StatementId; vms: readonly string[] },
    { catalog, columns }: { catalog: Catalog; columns: ReadonlyMap<string, number> },
  ): Promise<void> {
    const { statement, vms } = one;
    const known = this.#known.get(statementKey(statement));
    if (known === undefined) return;
    const examples = this.#examples(statement, vms);
    const text = this.#textOf(statement, known);
    known.explanation = await explainer.explain({
      database,
      queryId: statement.queryId,
      catalog,
      text: text ?? known.text,
      askable: text !== undefined,
      examples,
      settings: await this.#settings.of(statement.user, database),
      seen: this.#evidence.paths(statement.user, database),
      locked: this.#lockedSchemas(statement, vms, known.text, catalog),
      touched: (oid) => (columns.get(oid) ?? 0) > 0,
    });
    known.explainedAtMs = this.#nowMs();
    known.examples = examples.length;
    known.hindered = known.explanation.passing === true ? known.hindered + 1 : 0;
    if (unsure(known.explanation)) this.#evidence.want(statement.queryId);
  }

  #textOf(statement: StatementId, known: Known): string | undefined {
    const { shape } = known;
    if (shape.kind === 'query') return shape.text;
    if (shape.kind !== 'execute' && shape.kind !== 'fetch') return undefined;
    return this.#aliases.get(JSON.stringify([statement.user, statement.database, shape.name]));
  }

  #examples(statement: StatementId, vms: readonly string[]): string[] {
    const texts = vms.map((vm) => this.#evidence.example(vm, statement.database, statement.queryId));
    return [...new Set(texts)]
      .filter((text) => text !== undefined)
      .map((text) => shapeOf(text))
      .filter((shape) => shape.kind === 'query')
      .map((shape) => shape.text)
      .slice(0, examplesLimit);
  }

  /** Schemas of relations that sessions running this hold locked and whose name its text has. */
  #lockedSchemas(
    statement: StatementId,
    vms: readonly string[],
    text: string,
    catalog: Catalog,
  ): readonly string[] {
    const names = new Set(writtenNames(text).map((one) => one.name));
    const schemas = new Map<string, number>();
    for (const vm of vms) {
      const { database, queryId } = statement;
      const locks = [this.#evidence.locks(vm, database, queryId), this.#evidence.locks(vm, database)];
      for (const [oid, count] of locks.flatMap((one) => [...one.byOid])) {
        const relation = catalog.byOid.get(oid);
        if (relation === undefined || !names.has(relation.name)) continue;
        schemas.set(relation.schema, (schemas.get(relation.schema) ?? 0) + count);
      }
    }
    return [...schemas].sort((a, b) => b[1] - a[1]).map(([schema]) => schema);
  }
}

/** Whether a text as a session sent it could tell more. */
function unsure(explanation: Explanation): boolean {
  return (
    explanation.refusal !== undefined ||
    explanation.resolutions.length > 1 ||
    explanation.resolutions.some((one) => one.seeds.size === 0)
  );
}
