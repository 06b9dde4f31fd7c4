import { isName, isSymbol, isWord, type SqlToken, tokenize } from './sql-tokens.ts';

/** The SQL inside a PL/pgSQL body, as far as it is written there. */
export interface PlpgsqlReading {
  /** Queries with variables turned into parameters, so that the planner can be asked. */
  readonly queries: readonly string[];
  /** Builds SQL at run time, so that the queries are not all there is. */
  readonly dynamic: boolean;
}

const queryWords = ['select', 'with', 'insert', 'update', 'delete', 'merge', 'values'];
const boundaries = ['then', 'loop', 'else', 'begin', 'declare', 'exception'];
const specialVariables = ['new', 'old', 'found', 'sqlstate', 'sqlerrm'];

/** Reads a body by its words; what it cannot read it leaves out, and never throws. */
export function readPlpgsql(source: string, argumentNames: readonly string[] = []): PlpgsqlReading {
  const tokens = tokenize(source);
  const segments = split(tokens);
  const variables = new Set([...argumentNames, ...specialVariables].filter((name) => name !== ''));
  for (const segment of segments) for (const name of declared(segment)) variables.add(name);
  const queries = segments
    .map(queryOf)
    .filter((query) => query !== undefined)
    .map((query) => substitute(source, query, variables))
    .filter((text) => text !== '');
  return { queries: [...new Set(queries)], dynamic: tokens.some((token) => isWord(token, 'execute')) };
}

interface Segment {
  readonly tokens: readonly SqlToken[];
  readonly declares: boolean;
}

/** Statements, and the conditions and queries in front of THEN and LOOP. */
function split(tokens: readonly SqlToken[]): Segment[] {
  const segments: Segment[] = [];
  let current: SqlToken[] = [];
  let depth = 0;
  let cases = 0;
  let declares = false;
  const close = () => {
    if (current.length > 0) segments.push({ tokens: current, declares });
    current = [];
    cases = 0;
  };
  for (const token of tokens) {
    if (isSymbol(token, '(')) depth++;
    if (isSymbol(token, ')')) depth = Math.max(0, depth - 1);
    if (current.length > 0 && isWord(token, 'case')) cases++;
    const boundary = depth === 0 && cases === 0 && isWord(token, ...boundaries);
    if (isWord(token, 'end') && cases > 0) cases--;
    if (boundary || (depth === 0 && isSymbol(token, ';'))) {
      close();
      if (isWord(token, 'declare')) declares = true;
      if (isWord(token, 'begin')) declares = false;
      continue;
    }
    current.push(token);
  }
  close();
  return segments;
}

/** Names that a declaration or a loop brings. */
function declared({ tokens, declares }: Segment): string[] {
  if (declares && isName(tokens[0])) return [tokens[0].value];
  if (!isWord(tokens[0], 'for', 'foreach')) return [];
  const end = tokens.findIndex((token) => isWord(token, 'in', 'slice'));
  return tokens
    .slice(1, Math.max(1, end))
    .filter(isName)
    .map((token) => token.value);
}

interface Query {
  readonly prefix: string;
  readonly tokens: readonly SqlToken[];
}

function queryOf({ tokens, declares }: Segment): Query | undefined {
  const first = tokens[0];
  if (declares) {
    const cursor = tokens.findIndex((token) => isWord(token, 'cursor'));
    return cursor < 0 ? undefined : after(tokens, 'for', cursor);
  }
  if (isWord(first, ...queryWords)) return { prefix: '', tokens: withoutInto(tokens) };
  if (isWord(first, 'perform')) return { prefix: 'SELECT ', tokens: tokens.slice(1) };
  if (isWord(first, 'for')) return queryAt(tokens, tokens.findIndex((token) => isWord(token, 'in')) + 1);
  if (isWord(first, 'open')) return after(tokens, 'for', 0);
  if (isWord(first, 'return') && isWord(tokens[1], 'query')) return queryAt(tokens, 2);
  return expressionOf(tokens);
}

function after(tokens: readonly SqlToken[], word: string, from: number): Query | undefined {
  const at = tokens.findIndex((token, index) => index >= from && isWord(token, word));
  return at < 0 ? undefined : queryAt(tokens, at + 1);
}

function queryAt(tokens: readonly SqlToken[], at: number): Query | undefined {
  const start = tokens.slice(at).find((token) => !isSymbol(token, '('));
  return isWord(start, ...queryWords) ? { prefix: '', tokens: withoutInto(tokens.slice(at)) } : undefined;
}

/** Conditions, assignments and results matter where a query is inside. */
function expressionOf(tokens: readonly SqlToken[]): Query | undefined {
  if (!tokens.some((token) => isWord(token, 'select'))) return undefined;
  const heads = ['if', 'elsif', 'elseif', 'while', 'when', 'return', 'next', 'exit', 'continue', 'assert'];
  const assigns = tokens.findIndex((token, index) => isSymbol(token, '=') && index < 6);
  let start = assigns >= 0 && !isWord(tokens[0], ...heads) ? assigns + 1 : 0;
  while (isWord(tokens[start], ...heads)) start++;
  return { prefix: 'SELECT ', tokens: tokens.slice(start) };
}

function withoutInto(tokens: readonly SqlToken[]): SqlToken[] {
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (isSymbol(token, '(')) depth++;
    if (isSymbol(token, ')')) depth--;
    if (depth !== 0 || !isWord(token, 'into') || isWord(tokens[index - 1], 'insert', 'merge')) continue;
    let end = index + 1;
    if (isWord(tokens[end], 'strict')) end++;
    while (isName(tokens[end]) || tokens[end]?.type === 'parameter') {
      end++;
      while (isSymbol(tokens[end], '.') || (isSymbol(tokens[end - 1], '.') && isName(tokens[end]))) end++;
      if (!isSymbol(tokens[end], ',')) break;
      end++;
    }
    return [...tokens.slice(0, index), ...tokens.slice(end)];
  }
  return [...tokens];
}

/** Writes the tokens again with a parameter for every variable and every field of one. */
function substitute(source: string, query: Query, variables: ReadonlySet<string>): string {
  const { tokens } = query;
  let next = tokens.reduce(
    (most, token) => (token.type === 'parameter' ? Math.max(most, Number(token.value.slice(1))) : most),
    0,
  );
  const numbers = new Map<string, number>();
  let text = '';
  let end: number | undefined;
  // Parts that touch in the source must touch again: operators of two characters are two tokens.
  const write = (part: string, from: number, to: number) => {
    text += (end === undefined || end === from ? '' : ' ') + part;
    end = to;
  };
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    if (token === undefined) break;
    const before = tokens[index - 1];
    const isField = isSymbol(before, '.');
    const other = isSymbol(tokens[index + 1], '(') || isField || isWord(before, 'as', 'from', 'join', 'into');
    if (!isName(token) || other || !variables.has(token.value)) {
      write(source.slice(token.start, token.end), token.start, token.end);
      continue;
    }
    let name = token.value;
    while (isSymbol(tokens[index + 1], '.') && isName(tokens[index + 2])) {
      name += `.${tokens[index + 2]?.value}`;
      index += 2;
    }
    const number = numbers.get(name) ?? ++next;
    numbers.set(name, number);
    write(`$${number}`, token.start, tokens[index]?.end ?? token.end);
  }
  return text === '' ? '' : query.prefix + text;
}
