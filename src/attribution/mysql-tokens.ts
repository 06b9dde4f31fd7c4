export interface MysqlToken {
  /** `name`: an identifier or keyword as written; `quoted`: an identifier in backquotes. */
  readonly type: 'name' | 'quoted' | 'string' | 'parameter' | 'number' | 'variable' | 'symbol';
  /** Without quotes. */
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

const namePattern = /[\p{L}\p{N}_$\u0080-\u{10FFFF}]+/uy;
const numberPattern = /(?:0[xX][\da-fA-F]+|0b[01]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\p{L}_$])/uy;
const variablePattern = /@{1,2}(?:[\p{L}\p{N}_.$]+|`[^`]*`|'[^']*'|"[^"]*")?/uy;

export interface TokenizeOptions {
  /** Double quotes hold identifiers, as under `ANSI_QUOTES`. */
  readonly ansiQuotes?: boolean;
}

/** The lexical rules of MySQL and MariaDB, without comments. Never throws: an open quote or comment runs to the end. */
export function tokenize(text: string, options: TokenizeOptions = {}): MysqlToken[] {
  const tokens: MysqlToken[] = [];
  let at = 0;
  const push = (type: MysqlToken['type'], value: string, end: number) => {
    tokens.push({ type, value, start: at, end });
    at = end;
  };
  while (at < text.length) {
    const char = text[at] ?? '';
    const pair = text.slice(at, at + 2);
    if (/\s/.test(char)) at++;
    else if (char === '#' || /^--(?:\s|$)/.test(text.slice(at, at + 3))) at = indexOrEnd(text, '\n', at);
    else if (pair === '/*') at = Math.min(text.length, indexOrEnd(text, '*/', at + 2) + 2);
    else if (char === '`') push('quoted', ...quoted(text, at, false));
    else if (char === '"' && options.ansiQuotes === true) push('quoted', ...quoted(text, at, false));
    else if (char === "'" || char === '"') push('string', ...quoted(text, at, true));
    else if (/^[xXbBnN]'$/.test(pair)) {
      const [value, end] = quoted(text, at + 1, true);
      push('string', value, end);
    } else if (char === '?') push('parameter', char, at + 1);
    else if (char === '@') {
      const variable = matchAt(variablePattern, text, at);
      push('variable', variable, at + variable.length);
    } else {
      const number = matchAt(numberPattern, text, at);
      const name = number === '' ? matchAt(namePattern, text, at) : '';
      if (number !== '') push('number', number, at + number.length);
      else if (name !== '') push('name', name, at + name.length);
      else push('symbol', char, at + 1);
    }
  }
  return tokens;
}

export const isName = (token: MysqlToken | undefined): token is MysqlToken =>
  token !== undefined && (token.type === 'name' || token.type === 'quoted');

export const isSymbol = (token: MysqlToken | undefined, value: string): boolean =>
  token?.type === 'symbol' && token.value === value;

export const isWord = (token: MysqlToken | undefined, ...words: string[]): boolean =>
  token?.type === 'name' && words.includes(token.value.toLowerCase());

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

function indexOrEnd(text: string, needle: string, from: number): number {
  const found = text.indexOf(needle, from);
  return found < 0 ? text.length : found;
}

function quoted(text: string, open: number, escapes: boolean): [value: string, end: number] {
  const quote = text[open];
  let value = '';
  for (let at = open + 1; at < text.length; at++) {
    const char = text[at] ?? '';
    if (escapes && char === '\\') {
      value += text[at + 1] ?? '';
      at++;
    } else if (char !== quote) value += char;
    else if (text[at + 1] === quote) {
      value += char;
      at++;
    } else return [value, at + 1];
  }
  return [value, text.length];
}
