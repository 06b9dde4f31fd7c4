import { isName, isSymbol, isWord, type MysqlToken, tokenize } from './mysql-tokens.ts';

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

/** With a placeholder for each literal. */
export function withoutLiterals(text: string): string {
  let result = '';
  let end = 0;
  for (const { type, start, end: next } of tokenize(text)) {
    const value = type === 'string' || type === 'number' ? '?' : text.slice(start, next);
    result += text.slice(end, start) + value;
    end = next;
  }
  return result + text.slice(end);
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
