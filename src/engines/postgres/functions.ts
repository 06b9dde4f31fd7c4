import { type WrittenName, writtenNames } from '../../attribution/sql-text.ts';
import { isSymbol, tokenize } from '../../attribution/sql-tokens.ts';
import type { PostgresConnections } from './connections.ts';
import type { Catalog } from './relation-stats.ts';
import { parsePath } from './search-paths.ts';
import { sqlStatement } from './sql.ts';

const functionsStatement = sqlStatement('functions');

export interface FunctionDefinition {
  readonly schema: string;
  readonly name: string;
  readonly language: string;
  readonly source: string;
  /** Of SQL-standard bodies, whose `source` is empty. */
  readonly sqlBody: string | null;
  readonly argumentNames: readonly string[] | null;
  readonly searchPath: string | null;
}

/** A function that a statement may reach, with the path its body's names are looked up in. */
export interface ReachedFunction {
  readonly definition: FunctionDefinition;
  readonly path: readonly string[];
  readonly body: string;
}

const lifeMs = 300_000;
const depthLimit = 4;
const reachedLimit = 40;

/** Definitions of the functions of one database, by name. */
export class Functions {
  readonly #connections: PostgresConnections;
  readonly #database: string;
  readonly #nowMs: () => number;
  readonly #known = new Map<string, readonly FunctionDefinition[]>();
  #sinceMs = 0;

  constructor(connections: PostgresConnections, database: string, nowMs: () => number) {
    this.#connections = connections;
    this.#database = database;
    this.#nowMs = nowMs;
  }

  async named(names: readonly string[]): Promise<readonly FunctionDefinition[]> {
    if (this.#nowMs() - this.#sinceMs > lifeMs) {
      this.#known.clear();
      this.#sinceMs = this.#nowMs();
    }
    const missing = names.filter((name) => !this.#known.has(name));
    if (missing.length > 0) {
      const rows = await this.#connections.query<FunctionDefinition>(this.#database, functionsStatement, [
        missing,
      ]);
      for (const name of missing) {
        this.#known.set(
          name,
          rows.filter((row) => row.name === name),
        );
      }
    }
    return names.flatMap((name) => this.#known.get(name) ?? []);
  }

  /** Functions called by those names, and by each other's bodies. */
  async reached(names: readonly WrittenName[], path: readonly string[]): Promise<ReachedFunction[]> {
    const found = new Map<string, ReachedFunction>();
    let calls = names.filter((one) => one.called).map((one) => ({ ...one, path }));
    for (let depth = 0; depth < depthLimit && calls.length > 0; depth++) {
      const definitions = await this.named([...new Set(calls.map((call) => call.name))]);
      const next: typeof calls = [];
      for (const call of calls) {
        for (const definition of visible(definitions, call, call.path)) {
          const body = definition.sqlBody ?? definition.source;
          const key = JSON.stringify([definition.schema, definition.name, body]);
          if (found.has(key) || found.size >= reachedLimit) continue;
          const own = definition.searchPath === null ? call.path : parsePath(definition.searchPath);
          found.set(key, { definition, path: own, body });
          for (const one of writtenNames(body, { insideStrings: true })) {
            if (one.called) next.push({ ...one, path: own });
          }
        }
      }
      calls = next;
    }
    return [...found.values()];
  }
}

/** All overloads in the schema that the call means; anywhere where the path does not tell. */
function visible(
  definitions: readonly FunctionDefinition[],
  call: WrittenName,
  path: readonly string[],
): readonly FunctionDefinition[] {
  const named = definitions.filter((one) => one.name === call.name);
  if (call.schema !== undefined) return named.filter((one) => one.schema === call.schema);
  const schema = path.find((place) => named.some((one) => one.schema === place));
  return schema === undefined ? named : named.filter((one) => one.schema === schema);
}

/** Tables and views whose names a body has; columns of such names are among them, so a second witness decides. */
export function namedRelations(body: string, path: readonly string[], catalog: Catalog): Set<string> {
  const found = new Set<string>();
  for (const { schema, name } of writtenNames(body, { insideStrings: true })) {
    const places = catalog.schemasOf(name);
    const place =
      schema ?? path.find((one) => places.includes(one)) ?? (places.length === 1 ? places[0] : undefined);
    const relation = place === undefined ? undefined : catalog.find(place, name);
    if (relation !== undefined && relation.tableOid === null && place !== 'pg_catalog')
      found.add(relation.oid);
  }
  return found;
}

/** The statements of a SQL function's body, arguments by name turned into parameters. */
export function sqlStatements(definition: FunctionDefinition): string[] {
  const names = definition.argumentNames ?? [];
  const body = (definition.sqlBody ?? definition.source)
    .replace(/^\s*BEGIN\s+ATOMIC\b/i, '')
    .replace(/\bEND\s*;?\s*$/i, definition.sqlBody === null ? '$&' : '');
  return splitStatements(definition.sqlBody === null ? definition.source : body).map((statement) =>
    substituteArguments(statement.replace(/^\s*RETURN\b/i, 'SELECT'), names),
  );
}

function splitStatements(text: string): string[] {
  const statements: string[] = [];
  let from = 0;
  for (const token of tokenize(text)) {
    if (!isSymbol(token, ';')) continue;
    statements.push(text.slice(from, token.start));
    from = token.end;
  }
  statements.push(text.slice(from));
  return statements.map((one) => one.trim()).filter((one) => one !== '');
}

function substituteArguments(text: string, names: readonly string[]): string {
  const tokens = tokenize(text);
  let result = '';
  let copied = 0;
  tokens.forEach((token, index) => {
    const position = token.type === 'name' || token.type === 'quoted' ? names.indexOf(token.value) : -1;
    const part = isSymbol(tokens[index - 1], '.') || isSymbol(tokens[index + 1], '(');
    if (position < 0 || part) return;
    result += `${text.slice(copied, token.start)}$${position + 1}`;
    copied = token.end;
  });
  return result + text.slice(copied);
}
