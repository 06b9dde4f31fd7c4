import { isName, isSymbol, isWord, type SqlToken, tokenize } from './sql-tokens.ts';

/** What can be asked about a statement's text. */
export type StatementShape =
  /** The planner can be asked about `text`. */
  | { readonly kind: 'query'; readonly text: string; readonly prepares?: string; readonly declares?: string }
  /** The blocks are those of the prepared statement or cursor of that name. */
  | { readonly kind: 'execute' | 'fetch'; readonly name: string }
  /** Hides what it runs: CALL, DO, maintenance; names in `tokens` are hints. */
  | { readonly kind: 'opaque'; readonly verb: string }
  /** Sets the search path for later statements; parts as they would be written, unquoted. */
  | { readonly kind: 'set_path'; readonly path: readonly string[] }
  | { readonly kind: 'control'; readonly verb: string };

const queryVerbs = ['select', 'with', 'values', 'table', 'insert', 'update', 'delete', 'merge'];
const controlVerbs = new Set(
  (
    'begin start commit end rollback abort savepoint release set reset show discard deallocate close ' +
    'listen unlisten notify checkpoint lock prepare'
  ).split(' '),
);

/** Sorts a statement and takes the query out of PREPARE, DECLARE CURSOR, COPY, CREATE … AS and EXPLAIN. */
export function shapeOf(text: string): StatementShape {
  const tokens = tokenize(text);
  const first = tokens.find((token) => !isSymbol(token, '('));
  const from = (index: number): string => text.slice(tokens[index]?.start ?? text.length);
  if (first === undefined) return { kind: 'control', verb: '' };
  if (isWord(first, ...queryVerbs)) return { kind: 'query', text: from(0).replace(/[\s;]+$/, '') };
  const verb = first.type === 'name' ? first.value : '';
  const name = tokens[1]?.value ?? '';
  switch (verb) {
    case 'prepare': {
      const as = tokens.findIndex((token) => isWord(token, 'as'));
      return as < 0 ? { kind: 'control', verb } : inner(from(as + 1), { prepares: name });
    }
    case 'execute':
      return { kind: 'execute', name };
    case 'declare': {
      const cursor = tokens.findIndex((token) => isWord(token, 'cursor'));
      const body = tokens.findIndex((token, index) => index > cursor && isWord(token, 'for'));
      return cursor < 0 || body < 0 ? { kind: 'opaque', verb } : inner(from(body + 1), { declares: name });
    }
    case 'fetch':
    case 'move':
      return { kind: 'fetch', name: tokens.filter((token) => !isSymbol(token, ';')).at(-1)?.value ?? '' };
    case 'copy':
      return copyShape(text, tokens);
    case 'create':
      return createShape(tokens, from);
    case 'explain': {
      const body = tokens.findIndex((token) => isWord(token, ...queryVerbs));
      return body < 0 ? { kind: 'opaque', verb } : inner(from(body));
    }
    case 'set':
      return setShape(tokens);
    default:
      return controlVerbs.has(verb) ? { kind: 'control', verb } : { kind: 'opaque', verb };
  }
}

function inner(text: string, alias: { prepares?: string; declares?: string } = {}): StatementShape {
  const shape = shapeOf(text);
  return shape.kind === 'query' ? { ...shape, ...alias } : { kind: 'opaque', verb: 'prepared' };
}

function copyShape(text: string, tokens: readonly SqlToken[]): StatementShape {
  const opaque: StatementShape = { kind: 'opaque', verb: 'copy' };
  if (isSymbol(tokens[1], '(')) {
    const close = closing(tokens, 1);
    return inner(text.slice(tokens[2]?.start ?? 0, tokens[close]?.start ?? text.length));
  }
  if (!isName(tokens[1])) return opaque;
  const last = isSymbol(tokens[2], '.') ? 3 : 1;
  const reads = tokens.slice(last + 1).some((token) => isWord(token, 'to'));
  const table = text.slice(tokens[1].start, tokens[last]?.end);
  return reads ? { kind: 'query', text: `SELECT * FROM ${table}` } : opaque;
}

function createShape(tokens: readonly SqlToken[], from: (index: number) => string): StatementShape {
  const table = tokens.slice(0, 4).some((token) => isWord(token, 'table', 'materialized'));
  const as = tokens.findIndex((token) => isWord(token, 'as'));
  return table && as > 0 ? inner(from(as + 1)) : { kind: 'opaque', verb: 'create' };
}

function setShape(tokens: readonly SqlToken[]): StatementShape {
  const rest = tokens.slice(isWord(tokens[1], 'session', 'local') ? 2 : 1);
  const isPath = isWord(rest[0], 'search_path') && (isSymbol(rest[1], '=') || isWord(rest[1], 'to'));
  const path = rest
    .slice(2)
    .filter((token) => token.type === 'string' || isName(token))
    .map((token) => token.value);
  return isPath && path.length > 0 ? { kind: 'set_path', path } : { kind: 'control', verb: 'set' };
}

function closing(tokens: readonly SqlToken[], open: number): number {
  let depth = 0;
  for (let index = open; index < tokens.length; index++) {
    if (isSymbol(tokens[index], '(')) depth++;
    if (isSymbol(tokens[index], ')') && --depth === 0) return index;
  }
  return tokens.length;
}

const literalTypes = new Set(
  (
    'interval date time timestamp timetz timestamptz bool boolean json jsonb uuid inet cidr numeric decimal ' +
    'int integer bigint smallint real float text varchar bytea point box macaddr xml'
  ).split(' '),
);

/**
 * A normalized text that the parser takes again: constants became parameters also where the grammar wants
 * a literal, as in `interval $1` or `extract($1 FROM x)`.
 */
export function repairNormalized(text: string): string {
  const tokens = tokenize(text);
  let repaired = '';
  let copied = 0;
  const replace = (start: number, end: number, by: string) => {
    repaired += text.slice(copied, start) + by;
    copied = end;
  };
  tokens.forEach((token, index) => {
    if (token.type !== 'parameter') return;
    const before: SqlToken | undefined = tokens[index - 1];
    if (isSymbol(before, '(') && isWord(tokens[index - 2], 'extract') && isWord(tokens[index + 1], 'from')) {
      replace(token.start, token.end, 'epoch');
      return;
    }
    if (before?.type !== 'name' || before.start < copied) return;
    if (literalTypes.has(before.value)) {
      replace(before.start, token.end, `${token.value}::${before.value}`);
      return;
    }
    // timestamp with time zone $1
    const type = tokens[index - 4];
    if (
      before.value === 'zone' &&
      type !== undefined &&
      isWord(type, 'timestamp', 'time') &&
      !isWord(tokens[index - 3], 'at')
    ) {
      replace(type.start, token.end, `${token.value}::${text.slice(type.start, before.end)}`);
    }
  });
  return repaired + text.slice(copied);
}

/** The highest parameter number of a text. */
export function parameterCount(text: string): number {
  return tokenize(text).reduce(
    (most, token) => (token.type === 'parameter' ? Math.max(most, Number(token.value.slice(1))) : most),
    0,
  );
}

/** Puts `$n::text` for the parameters of that set. */
export function castParameters(text: string, numbers: ReadonlySet<number>): string {
  let result = '';
  let copied = 0;
  for (const token of tokenize(text)) {
    if (token.type !== 'parameter' || !numbers.has(Number(token.value.slice(1)))) continue;
    result += `${text.slice(copied, token.start)}${token.value}::text`;
    copied = token.end;
  }
  return result + text.slice(copied);
}

/** Without a trailing FOR UPDATE or FOR SHARE clause, which needs a privilege that a reader has not. */
export function withoutLocking(text: string): string {
  const tokens = tokenize(text);
  let depth = 0;
  for (let index = 0; index < tokens.length; index++) {
    if (isSymbol(tokens[index], '(')) depth++;
    if (isSymbol(tokens[index], ')')) depth--;
    const locks = isWord(tokens[index], 'for') && isWord(tokens[index + 1], 'update', 'share', 'no', 'key');
    if (depth === 0 && locks) return text.slice(0, tokens[index]?.start);
  }
  return text;
}

/** A name as written in a text, with its schema where it has one. */
export interface WrittenName {
  readonly schema?: string;
  readonly name: string;
  /** Followed by `(`: a function, or a relation with a column list. */
  readonly called: boolean;
}

/**
 * Every name of a text that may be a relation or function; keywords and columns are among them.
 * `insideStrings` looks also into string constants, where dynamic SQL keeps its text.
 */
export function writtenNames(text: string, options: { insideStrings?: boolean } = {}): WrittenName[] {
  const found = new Map<string, WrittenName>();
  const visit = (part: string, depth: number) => {
    const tokens = tokenize(part);
    tokens.forEach((token, index) => {
      const nested = token.type === 'dollar' || (options.insideStrings === true && token.type === 'string');
      if (nested && depth < 3) visit(token.value, depth + 1);
      if (!isName(token)) return;
      const before = tokens[index - 2];
      const schema = isSymbol(tokens[index - 1], '.') && isName(before) ? before.value : undefined;
      const called = isSymbol(tokens[index + 1], '(');
      const one = { ...(schema === undefined ? {} : { schema }), name: token.value, called };
      found.set(JSON.stringify(one), one);
    });
  };
  visit(text, 0);
  return [...found.values()];
}
