import { isName, isSymbol, isWord, type MysqlToken, tokenize } from './mysql-tokens.ts';

/** What a statement's text is good for. */
export type MysqlShape =
  /** The planner may be asked about it. */
  | { readonly kind: 'query' }
  /** Writes; `asQuery` finds the same rows, where the text lends itself to it. */
  | { readonly kind: 'write'; readonly verb: string; readonly asQuery?: string }
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
    if (writes !== undefined) return { kind: 'write', verb: writes.value.toLowerCase() };
    return { kind: 'query' };
  }
  if (isWord(first, ...writeVerbs)) return writeShape(text, tokens, verb);
  return isWord(first, ...opaqueVerbs) ? { kind: 'opaque', verb } : { kind: 'control' };
}

/** MySQL's normalized text of a statement that was prepared begins with this word. */
export function withoutExecute(text: string): string {
  const [first, second] = tokenize(text.slice(0, 200));
  const prepared =
    isWord(first, 'execute') && (isWord(second, ...queryVerbs, ...writeVerbs) || isSymbol(second, '('));
  return prepared ? text.slice(second?.start) : text;
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
  const select = topLevel(tokens, 0, 'select');
  if (verb === 'insert' || verb === 'replace') {
    const query = select < 0 ? undefined : beforeDuplicateKey(text, tokens, select);
    return { kind: 'write', verb, ...(query === undefined ? {} : { asQuery: query }) };
  }
  const where = topLevel(tokens, 0, 'where');
  const tail = where < 0 ? '' : text.slice(tokens[where]?.start);
  if (verb === 'update') {
    const set = topLevel(tokens, 0, 'set');
    const start = tokens.findIndex((token, at) => at > 0 && !isWord(token, 'low_priority', 'ignore'));
    if (set < 0 || start < 0) return { kind: 'write', verb };
    const tables = text.slice(tokens[start]?.start, tokens[set]?.start);
    return { kind: 'write', verb, asQuery: `SELECT 1 FROM ${tables} ${tail}` };
  }
  const from = topLevel(tokens, 0, 'from');
  if (verb !== 'delete' || from < 0) return { kind: 'write', verb };
  const using = topLevel(tokens, from, 'using');
  const begin = using > 0 && (where < 0 || using < where) && !isSymbol(tokens[using + 1], '(') ? using : from;
  return { kind: 'write', verb, asQuery: `SELECT 1 FROM ${text.slice(tokens[begin]?.end)}` };
}

function beforeDuplicateKey(text: string, tokens: readonly MysqlToken[], select: number): string {
  const end = tokens.findIndex((token, at) => isWord(token, 'duplicate') && isWord(tokens[at - 1], 'on'));
  return text.slice(tokens[select]?.start, end < 0 ? text.length : tokens[end - 1]?.start);
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

const stands = {
  number: { one: "'1'", some: "('1', '2')" },
  date: { one: "'2026-01-01'", some: "('2026-01-01', '2026-01-02')" },
};
const betweenColumnAndValue = ['and', 'or', 'not', 'between', 'in', 'like', 'is', 'interval'];

/**
 * A text that the planner can be asked about: without comments, locking clauses and targets of INTO, with
 * literals in place of lost values; `isDate` says which columns want a date. `= ?` becomes a short list: a single
 * value would be looked up while planning, and one that no row has would hide the plan. Undefined where the text
 * was cut off.
 */
export function askable(text: string, isDate: (column: string) => boolean): string | undefined {
  const tokens = tokenize(text);
  if (isSymbol(tokens.at(-1), ';')) tokens.pop();
  if (isCut(text, tokens)) return undefined;
  let result = '';
  let end = 0;
  let column = '';
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    const before = tokens[at - 1];
    const raw = text.slice(token.start, token.end);
    const gap = gapOf(text, end, token, before);
    const { one, some } = stands[isDate(column) ? 'date' : 'number'];
    end = token.end;
    if (isName(token) && !isWord(token, ...betweenColumnAndValue)) column = token.value.toLowerCase();
    const skipped = lengthOfClause(tokens, at);
    if (skipped > 0) {
      at += skipped - 1;
      end = tokens[at]?.end ?? text.length;
      result += ' ';
    } else if (isEllipsis(tokens, at)) {
      at += 2;
      end = tokens[at]?.end ?? text.length;
      result += gap + one;
    } else if (token.type !== 'parameter') result += gap + raw;
    else if (isSymbol(before, '=') && isName(tokens[at - 2]) && closesComparison(tokens[at + 1])) {
      result = `${result.replace(/\s*=\s*$/, '')} IN ${some}`;
    } else if (isWord(before, 'limit', 'offset') || isLimitPair(tokens, at)) result += `${gap}10`;
    else result += gap + one;
  }
  return result.trim();
}

/** MySQL and MariaDB put `(...)` for a list in a digest's text. */
const isEllipsis = (tokens: readonly MysqlToken[], at: number): boolean =>
  isSymbol(tokens[at], '.') && isSymbol(tokens[at + 1], '.') && isSymbol(tokens[at + 2], '.');

const isLimitPair = (tokens: readonly MysqlToken[], at: number): boolean =>
  isSymbol(tokens[at - 1], ',') && isWord(tokens[at - 3], 'limit');

/** Not the left side of an operator, as in `a = ? + 1`. */
const closesComparison = (token: MysqlToken | undefined): boolean =>
  token === undefined || token.type === 'name' || isSymbol(token, ')') || isSymbol(token, ',');

const isCut = (text: string, tokens: readonly MysqlToken[]): boolean =>
  /\.\.\.$/.test(text.trimEnd()) && !isSymbol(tokens.at(-1), ')');

/** A digest's text has a space in front of every parenthesis, which makes a function's name a column's. */
function gapOf(text: string, from: number, token: MysqlToken, before: MysqlToken | undefined): string {
  const gap = text.slice(from, token.start);
  if (before?.type === 'name' && isSymbol(token, '(')) return '';
  const hint = /\/\*\+[\s\S]*?\*\//.exec(gap);
  if (hint !== null) return ` ${hint[0]} `;
  return gap === '' ? '' : ' ';
}

/** Tokens of a locking clause or of an INTO's target from here on; 0 where there is none. */
function lengthOfClause(tokens: readonly MysqlToken[], at: number): number {
  const token = tokens[at];
  const next = tokens[at + 1];
  if (isWord(token, 'lock') && isWord(next, 'in')) return 4;
  if (isWord(token, 'for') && isWord(next, 'update', 'share')) {
    let length = 2;
    while (at + length < tokens.length && !isSymbol(tokens[at + length], ')')) length++;
    return length;
  }
  if (!isWord(token, 'into')) return 0;
  let length = 1;
  if (isWord(next, 'outfile', 'dumpfile')) length = 3;
  else while (tokens[at + length]?.type === 'variable' || isSymbol(tokens[at + length], ',')) length++;
  return length;
}

/** The text without literals, comments and the length of lists: equal for statements that differ in values alone. */
export function normalized(text: string): string {
  return tokenize(text)
    .map(({ type, value }) => {
      if (type === 'string' || type === 'number' || type === 'parameter') return '?';
      return type === 'quoted' ? `\`${value.replaceAll('`', '``')}\`` : value.toLowerCase();
    })
    .join(' ')
    .replace(/\?(?: , \?)+/g, '?');
}
