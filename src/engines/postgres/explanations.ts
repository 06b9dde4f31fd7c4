import type { PlannedTable, PlanReading } from '../../attribution/plan.ts';
import { readPlpgsql } from '../../attribution/plpgsql.ts';
import { writtenNames } from '../../attribution/sql-text.ts';
import { tokenize } from '../../attribution/sql-tokens.ts';
import type { PostgresConnections } from './connections.ts';
import { explain } from './explain.ts';
import {
  type FunctionDefinition,
  Functions,
  namedRelations,
  type ReachedFunction,
  sqlStatements,
} from './functions.ts';
import type { Catalog, CatalogRelation } from './relation-stats.ts';
import { candidatePaths } from './search-paths.ts';
import { isPassing } from './sqlstates.ts';

/** What a statement touches under one search path. OIDs throughout. */
export interface Resolution {
  /** Equal for paths that lead to the same relations. */
  readonly key: string;
  /** Named by the planner: expected accesses by relation. */
  readonly seeds: ReadonlyMap<string, number>;
  /** Planned tables (not indexes). */
  readonly tables: ReadonlySet<string>;
  /** TOAST relations whose columns the statement uses; their own counts decide. */
  readonly toast: ReadonlySet<string>;
  /** Tables named in bodies of functions that it calls; a second witness decides. */
  readonly hints: ReadonlySet<string>;
  /** Every name that the statement, its plan and its functions have. */
  readonly mentions: ReadonlySet<string>;
  /** The server gives this reading the statement's own query id. */
  readonly identified: boolean;
}

export interface Explanation {
  readonly resolutions: readonly Resolution[];
  /** Why the planner could not be asked. */
  readonly refusal?: string;
  /** What stood in the way may have gone by the next time. */
  readonly passing?: boolean;
  /** Schemas that were tried in front. */
  readonly schemas: ReadonlySet<string>;
}

export interface ExplanationRequest {
  readonly database: string;
  readonly queryId: string;
  readonly catalog: Catalog;
  /** The query, or a text that hides what it runs. */
  readonly text: string;
  readonly askable: boolean;
  /** Texts as sessions sent them, which give the query id where constants were normalized away. */
  readonly examples: readonly string[];
  readonly settings: readonly string[];
  readonly seen: readonly (readonly string[])[];
  readonly locked: readonly string[];
  /** Whether a relation was accessed by anybody. */
  readonly touched: (oid: string) => boolean;
}

/** Tables that not every reading of the statement has. */
export function ownTables(resolution: Resolution, all: readonly Resolution[]): string[] {
  return [...resolution.tables, ...resolution.hints].filter((oid) =>
    all.some((other) => !other.tables.has(oid) && !other.hints.has(oid)),
  );
}

/** Asks the planner, and follows functions, for one statement. */
export class Explainer {
  readonly #connections: PostgresConnections;
  readonly #functions = new Map<string, Functions>();
  readonly #nowMs: () => number;
  readonly #timeoutMs: number;

  constructor(options: {
    readonly connections: PostgresConnections;
    readonly nowMs: () => number;
    readonly timeoutMs: number;
  }) {
    this.#connections = options.connections;
    this.#nowMs = options.nowMs;
    this.#timeoutMs = options.timeoutMs;
  }

  async explain(request: ExplanationRequest): Promise<Explanation> {
    const names = writtenNames(request.text);
    const functions = this.#functionsOf(request.database);
    const called = await functions.named([
      ...new Set(names.filter((one) => one.called).map((one) => one.name)),
    ]);
    const paths = candidatePaths({
      catalog: request.catalog,
      names,
      settings: request.settings,
      seen: request.seen,
      functionSchemas: [...new Set(called.map((one) => one.schema))],
      locked: request.locked,
      touched: request.touched,
    });
    const schemas = new Set(paths.flatMap((path) => path.slice(0, 1)));
    if (!request.askable) {
      return { ...(await this.#unasked(request, paths[0] ?? [], 'it hides what it runs')), schemas };
    }

    const asked = await this.#askAll(request, paths);
    const { passing } = asked;
    const refusal = asked.refusal ?? 'the planner named no relation';
    const read = asked.byPath.filter((one) => one.readings.length > 0);
    if (read.length === 0) {
      return { ...(await this.#unasked(request, paths[0] ?? [], refusal)), schemas, passing };
    }
    const resolutions = new Map<string, Resolution>();
    const identified = read.filter((one) => one.identified);
    for (const one of identified.length > 0 ? identified : read) {
      const resolution = await this.#resolve(request, one);
      if (!resolutions.has(resolution.key)) resolutions.set(resolution.key, resolution);
    }
    return { resolutions: [...resolutions.values()], schemas, passing };
  }

  /** The normalized text under every path, then examples, which add what plans with values do. */
  async #askAll(request: ExplanationRequest, paths: readonly (readonly string[])[]) {
    const number = Number(request.queryId);
    const byPath = paths.map((path) => ({ path, readings: [] as PlanReading[], identified: false }));
    let refusal: string | undefined;
    let passing = false;
    for (const text of [request.text, ...request.examples]) {
      const answers = await explain(this.#connections, {
        database: request.database,
        text,
        paths,
        timeoutMs: this.#timeoutMs,
      });
      for (const [index, answer] of answers.entries()) {
        const one = byPath[index];
        if (one === undefined) continue;
        if ('reading' in answer) {
          one.readings.push(answer.reading);
          one.identified ||= answer.queryNumber === number;
        } else {
          passing ||= isPassing(answer.sqlState);
          refusal ??= `EXPLAIN: ${answer.message} (${answer.sqlState})`;
        }
      }
    }
    return { byPath, refusal, passing };
  }

  /** Names are all there is to go by; they count only where another witness agrees. */
  async #unasked(
    request: ExplanationRequest,
    path: readonly string[],
    refusal: string,
  ): Promise<Omit<Explanation, 'schemas'>> {
    const hints = new Set<string>();
    for (const text of [request.text, ...request.examples]) {
      for (const oid of namedRelations(text, path, request.catalog)) hints.add(oid);
    }
    const seeds = new Map<string, number>();
    const reached = await this.#functionsOf(request.database).reached(
      writtenNames(request.text, { insideStrings: true }),
      path,
    );
    await this.#followFunctions(request, reached, seeds, hints);
    const resolution = finish(request.catalog, {
      seeds,
      hints,
      toast: new Set(),
      identified: false,
      mentions: mentionsIn([request.text], reached),
    });
    return { resolutions: resolution.hints.size + seeds.size > 0 ? [resolution] : [], refusal };
  }

  async #resolve(
    request: ExplanationRequest,
    read: { path: readonly string[]; readings: readonly PlanReading[]; identified: boolean },
  ): Promise<Resolution> {
    const { catalog } = request;
    const seeds = new Map<string, number>();
    const toast = new Set<string>();
    for (const reading of read.readings) addReading(catalog, reading, { seeds, toast });
    const expressions = read.readings.flatMap((reading) => reading.expressions);
    const calls = [request.text, ...expressions].flatMap((text) => writtenNames(text));
    const hints = new Set<string>();
    const reached = await this.#functionsOf(request.database).reached(calls, read.path);
    // Names of tables may be handed to a function that builds its SQL from them.
    if (reached.some((one) => one.definition.language !== 'sql')) {
      for (const text of request.examples) {
        for (const oid of namedRelations(text, read.path, catalog)) hints.add(oid);
      }
    }
    await this.#followFunctions(request, reached, seeds, hints);
    const mentions = mentionsIn([request.text, ...expressions], reached);
    return finish(catalog, { seeds, toast, hints, identified: read.identified, mentions });
  }

  /** The SQL in bodies goes to the planner as well; what it refuses, or cannot see, only names things. */
  async #followFunctions(
    request: ExplanationRequest,
    reached: readonly ReachedFunction[],
    seeds: Map<string, number>,
    hints: Set<string>,
  ): Promise<void> {
    for (const { definition, body, path } of reached) {
      const hint = (text: string) => {
        for (const oid of namedRelations(text, path, request.catalog)) hints.add(oid);
      };
      const { queries, dynamic } = queriesOf(definition);
      if (dynamic) hint(body);
      for (const text of queries) {
        const [answer] = await explain(this.#connections, {
          database: request.database,
          text,
          paths: [path],
          timeoutMs: this.#timeoutMs,
        });
        if (answer !== undefined && 'reading' in answer) {
          addReading(request.catalog, answer.reading, { seeds, toast: new Set() });
        } else hint(text);
      }
    }
  }

  #functionsOf(database: string): Functions {
    const known = this.#functions.get(database);
    if (known !== undefined) return known;
    const fresh = new Functions(this.#connections, database, this.#nowMs);
    this.#functions.set(database, fresh);
    return fresh;
  }
}

function mentionsIn(texts: readonly string[], reached: readonly ReachedFunction[]): ReadonlySet<string> {
  const all = [...texts, ...reached.map((one) => one.body)];
  return new Set(all.flatMap((text) => writtenNames(text).map((one) => one.name)));
}

/** The queries of a body; `dynamic` where they may not be all. */
function queriesOf(definition: FunctionDefinition): { queries: readonly string[]; dynamic: boolean } {
  if (definition.language === 'sql') return { queries: sqlStatements(definition), dynamic: false };
  if (definition.language !== 'plpgsql') return { queries: [], dynamic: true };
  return readPlpgsql(definition.source, definition.argumentNames ?? []);
}

function addReading(
  catalog: Catalog,
  reading: PlanReading,
  into: { seeds: Map<string, number>; toast: Set<string> },
): void {
  const used = usedColumns(reading.used);
  for (const planned of reading.tables) {
    const table = catalog.find(planned.schema, planned.name);
    if (table === undefined || (table.kind !== 'r' && table.kind !== 'm')) continue;
    add(into.seeds, table.oid, tableSeed(planned, table));
    for (const [name, seed] of planned.indexes) {
      const index = catalog.find(planned.schema, name);
      if (index !== undefined) add(into.seeds, index.oid, seed);
    }
    if (planned.modified) {
      for (const index of catalog.indexesOf(table.oid)) add(into.seeds, index.oid, 3);
    }
    const toasted = planned.modified || used.has('*') || table.toastable?.some((column) => used.has(column));
    if (table.toastOid !== null && toasted) into.toast.add(table.toastOid);
  }
}

function tableSeed(planned: PlannedTable, table: CatalogRelation): number {
  return (
    planned.scanned * Math.max(1, table.pages) +
    Math.min(planned.fetched, Math.max(1, table.pages) * 50) +
    (planned.modified ? 1 : 0)
  );
}

/** Column names in expressions, whatever their table is called there; '*' for whole rows. */
function usedColumns(expressions: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const expression of expressions) {
    for (const token of tokenize(expression)) {
      if (token.type === 'name' || token.type === 'quoted') found.add(token.value);
      else if (token.type === 'symbol' && token.value === '*' && /\.\*/.test(expression)) found.add('*');
    }
  }
  return found;
}

function finish(
  catalog: Catalog,
  parts: {
    seeds: ReadonlyMap<string, number>;
    toast: ReadonlySet<string>;
    hints: ReadonlySet<string>;
    identified: boolean;
    mentions: ReadonlySet<string>;
  },
): Resolution {
  const tables = new Set([...parts.seeds.keys()].filter((oid) => catalog.byOid.get(oid)?.tableOid === null));
  const hints = new Set<string>();
  for (const oid of parts.hints) {
    for (const leaf of storedBelow(catalog, oid)) if (!tables.has(leaf)) hints.add(leaf);
  }
  const key = JSON.stringify([[...parts.seeds.keys()].sort(), [...hints].sort()]);
  return { ...parts, key, tables, hints };
}

/** The relation itself, or the partitions of a partitioned table. */
function storedBelow(catalog: Catalog, oid: string): string[] {
  const relation = catalog.byOid.get(oid);
  if (relation === undefined) return [];
  if (relation.kind === 'r' || relation.kind === 'm') return [oid];
  return relation.kind === 'p' ? catalog.childrenOf(oid).flatMap((child) => storedBelow(catalog, child)) : [];
}

function add(map: Map<string, number>, key: string, value: number): void {
  map.set(key, (map.get(key) ?? 0) + value);
}
