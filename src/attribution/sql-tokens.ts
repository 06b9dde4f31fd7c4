export interface SqlToken {
  /** `name`: an identifier or keyword, folded as the server folds it; `quoted`: an identifier in double quotes. */
  readonly type: 'name' | 'quoted' | 'string' | 'dollar' | 'parameter' | 'number' | 'symbol';
  /** Without quotes. */
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

const nameStart = /[\p{L}_\u0080-\u{10FFFF}]/u;
const namePattern = /[\p{L}_\u0080-\u{10FFFF}][\p{L}\p{N}_$\u0080-\u{10FFFF}]*/uy;
const numberPattern = /(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const dollarPattern = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy;
const parameterPattern = /\$\d+/y;

/** PostgreSQL's lexical rules, without comments. Never throws: an open quote or comment runs to the end. */
export function tokenize(text: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  let at = 0;
  const push = (type: SqlToken['type'], value: string, end: number) => {
    tokens.push({ type, value, start: at, end });
    at = end;
  };
  while (at < text.length) {
    const char = text[at] ?? '';
    const pair = text.slice(at, at + 2);
    if (/\s/.test(char)) at++;
    else if (pair === '--') at = indexOrEnd(text, '\n', at);
    else if (pair === '/*') at = endOfComment(text, at);
    else if (char === "'") push('string', ...quoted(text, at, "'"));
    else if (char === '"') push('quoted', ...quoted(text, at, '"'));
    else if (/^[eE]'$/.test(pair)) push('string', ...escaped(text, at + 1));
    else if (/^[bBxXnN]'$/.test(pair)) push('string', ...quoted(text, at + 1, "'"));
    else if (/^u&['"]/i.test(text.slice(at, at + 3))) {
      const quote = text[at + 2] ?? '"';
      push(quote === '"' ? 'quoted' : 'string', ...quoted(text, at + 2, quote));
    } else if (char === '$') {
      const parameter = matchAt(parameterPattern, text, at);
      const dollar = matchAt(dollarPattern, text, at);
      if (parameter !== '') push('parameter', parameter, at + parameter.length);
      else if (dollar !== '') {
        const close = indexOrEnd(text, dollar, at + dollar.length);
        push('dollar', text.slice(at + dollar.length, close), Math.min(text.length, close + dollar.length));
      } else push('symbol', char, at + 1);
    } else if (nameStart.test(String.fromCodePoint(text.codePointAt(at) ?? 0))) {
      const name = matchAt(namePattern, text, at);
      push('name', foldName(name), at + name.length);
    } else if (/\d/.test(char) || /^\.\d$/.test(pair)) {
      const number = matchAt(numberPattern, text, at);
      push('number', number, at + Math.max(1, number.length));
    } else if (pair === '::') push('symbol', pair, at + 2);
    else push('symbol', char, at + 1);
  }
  return tokens;
}

/** ASCII letters only, as the server does in a multi-byte encoding. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]+/g, (part) => part.toLowerCase());
}

export const isName = (token: SqlToken | undefined): token is SqlToken =>
  token !== undefined && (token.type === 'name' || token.type === 'quoted');

export const isSymbol = (token: SqlToken | undefined, value: string): boolean =>
  token?.type === 'symbol' && token.value === value;

export const isWord = (token: SqlToken | undefined, ...words: string[]): boolean =>
  token?.type === 'name' && words.includes(token.value);

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

function indexOrEnd(text: string, needle: string, from: number): number {
  const found = text.indexOf(needle, from);
  return found < 0 ? text.length : found;
}

function endOfComment(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const pair = text.slice(at, at + 2);
    if (pair === '/*') depth++;
    else if (pair === '*/') depth--;
    else continue;
    at++;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

function quoted(text: string, open: number, quote: string): [value: string, end: number] {
  let value = '';
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] !== quote) value += text[at];
    else if (text[at + 1] === quote) {
      value += quote;
      at++;
    } else return [value, at + 1];
  }
  return [value, text.length];
}

function escaped(text: string, open: number): [value: string, end: number] {
  let value = '';
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '\\') {
      value += text[at + 1] ?? '';
      at++;
    } else if (text[at] !== "'") value += text[at];
    else if (text[at + 1] === "'") {
      value += "'";
      at++;
    } else return [value, at + 1];
  }
  return [value, text.length];
}
