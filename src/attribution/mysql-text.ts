import { writtenTables } from './mysql-tables.ts';
import { isName, isSymbol, isWord, type MysqlToken, tokenize } from './mysql-tokens.ts';

/** What a statement's text is good for. */
export type MysqlShape =
  /** The planner may be asked about it. */
  | { readonly kind: 'query' }
  /**
   * Cannot be asked about as it is; `asQuery` finds the same rows, where the text lends itself to it. `target` begins
   * with the table that is written; absent where it is a new one, or none.
   */
  | { readonly kind: 'write'; readonly verb: string; readonly asQuery?: string; readonly target?: string }
  /** Touches tables in a way that the text does not show. */
  | { readonly kind: 'opaque'; readonly verb: string }
  /** Touches no table of an application, or is counted through another statement. */
  | { readonly kind: 'control' };

const queryVerbs = ['select', 'with', 'table', 'values'];
const writeVerbs = ['insert', 'replace', 'update', 'delete', 'load'];
const opaqueVerbs = ['call', 'do', 'handler', 'alter', 'create', 'optimize', 'analyze', 'check'];
const systemSchemas = ['performance_schema', 'information_schema', 'mysql', 'sys'];

export function shapeOf(digestText: string): MysqlShape {
  const text = withoutExecute(digestText);
  const tokens = tokenize(text);
  const first = tokens.find((token) => !isSymbol(token, '('));
  const verb = first?.value.toLowerCase() ?? '';
  if (isWord(first, ...queryVerbs)) {
    const writes = tokens.find(
      (token) => isWord(token, 'update', 'delete', 'insert') && isStatementStart(tokens, token),
    );
    return writes === undefined ? { kind: 'query' } : afterWith(text, writes);
  }
  if (isWord(first, ...writeVerbs)) return writeShape(text, tokens, verb);
  if (isWord(first, 'set', 'do') && writtenTables(tokens).length > 0) return { kind: 'write', verb };
  if (isWord(first, 'create') && createsTable(tokens)) {
    const query = sourceOf(text, tokens);
    if (query !== undefined) return { kind: 'write', verb, asQuery: query };
  }
  return isWord(first, ...opaqueVerbs) ? { kind: 'opaque', verb } : { kind: 'control' };
}

/** MySQL's normalized text of a statement that was prepared begins with this word. */
export function withoutExecute(text: string): string {
  const [first, second] = tokenize(text.slice(0, 200));
  const prepared =
    isWord(first, 'execute') && (isWord(second, ...queryVerbs, ...writeVerbs) || isSymbol(second, '('));
  return prepared ? text.slice(second?.start) : text;
}

/**
 * The text in plain quoting: under `ANSI_QUOTES` a name may stand in double quotes, which is seen where a table
 * has them.
 */
export function plainQuotes(text: string): string {
  if (!text.includes('"')) return text;
  const tokens = tokenize(text, { ansiQuotes: true });
  if (writtenTables(tokens).length === writtenTables(tokenize(text)).length) return text;
  let result = '';
  let end = 0;
  for (const token of tokens) {
    if (token.type !== 'quoted') continue;
    result += `${text.slice(end, token.start)}\`${token.value.replaceAll('`', '``')}\``;
    end = token.end;
  }
  return result + text.slice(end);
}

/** Reads the server's own catalogs and nothing else: an administrator's tool, or Forewarm. */
export function readsOnlySystem(tables: readonly { database?: string }[]): boolean {
  return (
    tables.length > 0 && tables.every((one) => systemSchemas.includes(one.database?.toLowerCase() ?? ''))
  );
}

/** After the WITH clause of `WITH … UPDATE`; not FOR UPDATE, ON DUPLICATE KEY UPDATE or INSERT(). */
function isStatementStart(tokens: readonly MysqlToken[], token: MysqlToken): boolean {
  const at = tokens.indexOf(token);
  return isWord(tokens[0], 'with') && isSymbol(tokens[at - 1], ')') && !isSymbol(tokens[at + 1], '(');
}

function writeShape(text: string, tokens: readonly MysqlToken[], verb: string): MysqlShape {
  if (verb === 'insert' || verb === 'replace') {
    const query = sourceOf(text, tokens);
    return { kind: 'write', verb, target: text, ...(query === undefined ? {} : { asQuery: query }) };
  }
  const where = topLevel(tokens, 0, 'where');
  const tail = where < 0 ? '' : text.slice(tokens[where]?.start);
  if (verb === 'update') {
    const set = topLevel(tokens, 0, 'set');
    const start = tokens.findIndex((token, at) => at > 0 && !isWord(token, 'low_priority', 'ignore'));
    if (set < 0 || start < 0) return { kind: 'write', verb, target: text };
    const tables = text.slice(tokens[start]?.start, tokens[set]?.start);
    return { kind: 'write', verb, target: text, asQuery: `SELECT 1 FROM ${tables} ${tail}` };
  }
  const from = topLevel(tokens, 0, 'from');
  if (verb !== 'delete' || from < 0) return { kind: 'write', verb, target: text };
  const using = topLevel(tokens, from, 'using');
  const begin = using > 0 && (where < 0 || using < where) && !isSymbol(tokens[using + 1], '(') ? using : from;
  return { kind: 'write', verb, target: text, asQuery: `SELECT 1 FROM ${text.slice(tokens[begin]?.end)}` };
}

/** `WITH … UPDATE` or DELETE: its names hold in the query that finds the rows as well. */
function afterWith(text: string, verb: MysqlToken): MysqlShape {
  const body = text.slice(verb.start);
  const shape = writeShape(body, tokenize(body), verb.value.toLowerCase());
  if (shape.kind !== 'write' || shape.asQuery === undefined) return shape;
  return { ...shape, asQuery: `${text.slice(0, verb.start)}${shape.asQuery}` };
}

const createsTable = (tokens: readonly MysqlToken[]): boolean =>
  isWord(
    tokens.find((token) => !isWord(token, 'create', 'or', 'replace', 'temporary')),
    'table',
  );

/** The query whose rows are inserted, with or without parentheses around it. */
function sourceOf(text: string, tokens: readonly MysqlToken[]): string | undefined {
  let depth = 0;
  const start = tokens.findIndex((token, at) => {
    if (isSymbol(token, ')')) depth--;
    if (depth === 0 && isWord(token, 'select', 'with')) return true;
    if (!isSymbol(token, '(')) return false;
    return depth++ === 0 && isWord(tokens[at + 1], 'select', 'with') && !isSymbol(tokens[at - 1], '=');
  });
  if (start < 0) return undefined;
  const end = tokens.findIndex((token, at) => isWord(token, 'duplicate') && isWord(tokens[at - 1], 'on'));
  return text.slice(tokens[start]?.start, end < 0 ? text.length : tokens[end - 1]?.start);
}

/** Index of a word outside of any parentheses; -1 where it is not there. */
function topLevel(tokens: readonly MysqlToken[], from: number, word: string): number {
  let depth = 0;
  return tokens.findIndex((token, at) => {
    if (isSymbol(token, '(')) depth++;
    if (isSymbol(token, ')')) depth--;
    return depth === 0 && at >= from && isWord(token, word);
  });
}

/** Names to the left of `=` in an UPDATE's SET clause, folded. */
export function assignedColumns(text: string): Set<string> {
  const tokens = tokenize(text);
  const set = topLevel(tokens, 0, 'set');
  const where = topLevel(tokens, 0, 'where');
  const part = set < 0 ? [] : tokens.slice(set, where < 0 ? undefined : where);
  return new Set(
    part
      .filter((token, at) => isName(token) && isSymbol(part[at + 1], '='))
      .map((token) => token.value.toLowerCase()),
  );
}
