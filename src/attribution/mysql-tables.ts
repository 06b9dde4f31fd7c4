import { isName, isSymbol, isWord, type MysqlToken } from './mysql-tokens.ts';

/** A table as a statement names it. */
export interface WrittenTable {
  /** Absent where the session's default database holds it. */
  readonly database?: string;
  readonly name: string;
  /** What the rest of the statement calls it. */
  readonly alias: string;
}

/** Words that end a table reference, so that they are no alias. */
const notAlias = new Set(
  (
    'where join inner left right cross natural straight_join full on using group order limit having union except ' +
    'intersect set for lock into procedure window values value select use force ignore partition as semi anti ' +
    'returning fetch offset tablesample table'
  ).split(' '),
);
/** Words that end a list of table references. */
const endsList = ['where', 'group', 'order', 'limit', 'having', 'set', 'window', 'values', 'value', 'select'];
const modifiers = ['low_priority', 'delayed', 'high_priority', 'quick', 'ignore', 'only', 'lateral', 'table'];

interface Frame {
  /** Its SELECT or DELETE was read, so that FROM begins a list and does not belong to EXTRACT or TRIM. */
  reads: boolean;
  inList: boolean;
  expects: boolean;
}

/**
 * Every table that a statement names where a table may stand, views among them; names of its WITH clause and
 * table functions are not. A statement that the server would refuse gives what can be read of it.
 */
export function writtenTables(tokens: readonly MysqlToken[]): WrittenTable[] {
  const found: WrittenTable[] = [];
  const common = commonNames(tokens);
  const frames: Frame[] = [];
  let frame: Frame = { reads: false, inList: false, expects: false };
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (isSymbol(token, '(')) {
      frames.push(frame);
      frame = { reads: frame.expects, inList: frame.expects, expects: frame.expects };
      frames[frames.length - 1]!.expects = false;
    } else if (isSymbol(token, ')')) {
      frame = frames.pop() ?? frame;
    } else if (isSymbol(token, ',')) {
      frame.expects = frame.inList;
    } else if (
      frame.expects &&
      isName(token) &&
      !isWord(token, ...modifiers, 'into', 'select', 'with', 'dual')
    ) {
      at = readReference(tokens, at, (one) => found.push(one));
      frame.expects = false;
    } else {
      advance(frame, tokens, at);
    }
  }
  return found.filter((one) => one.database !== undefined || !common.has(one.name.toLowerCase()));
}

function advance(frame: Frame, tokens: readonly MysqlToken[], at: number): void {
  const token = tokens[at];
  if (frame.expects && isWord(token, ...modifiers, 'into')) return;
  frame.expects = false;
  if (token?.type !== 'name') return;
  const before = tokens[at - 1];
  if (isWord(token, 'select', 'delete')) frame.reads = true;
  if (isWord(token, ...endsList)) frame.inList = false;
  const begins =
    (isWord(token, 'from') && frame.reads) ||
    (isWord(token, 'table') && at === 0) ||
    isWord(token, 'join', 'straight_join') ||
    (isWord(token, 'using') && isWord(tokens[0], 'delete') && !isSymbol(tokens[at + 1], '(')) ||
    (isWord(token, 'into') && isWord(tokens[0], 'insert', 'replace', 'load', 'with')) ||
    (isWord(token, 'insert', 'replace') && !isSymbol(tokens[at + 1], '(')) ||
    (isWord(token, 'update') && !isWord(before, 'key', 'for'));
  if (!begins) return;
  frame.expects = true;
  frame.inList = isWord(token, 'from', 'using', 'update') || frame.inList;
}

function readReference(
  tokens: readonly MysqlToken[],
  start: number,
  take: (table: WrittenTable) => void,
): number {
  let at = start;
  const parts = [tokens[at]?.value ?? ''];
  while (isSymbol(tokens[at + 1], '.') && isName(tokens[at + 2])) {
    at += 2;
    parts.push(tokens[at]?.value ?? '');
  }
  const name = parts.at(-1) ?? '';
  const database = parts.at(-2);
  const isFunction = isSymbol(tokens[at + 1], '(') && !isWord(tokens[start - 1], 'into', 'insert', 'replace');
  if (isWord(tokens[at + 1], 'partition') && isSymbol(tokens[at + 2], '(')) {
    while (at + 1 < tokens.length && !isSymbol(tokens[at], ')')) at++;
  }
  const named = isWord(tokens[at + 1], 'as') ? tokens[at + 2] : tokens[at + 1];
  const isAlias = isName(named) && !(named.type === 'name' && notAlias.has(named.value.toLowerCase()));
  if (isAlias) at = tokens.indexOf(named, at);
  if (!isFunction)
    take({ ...(database === undefined ? {} : { database }), name, alias: isAlias ? named.value : name });
  return at;
}

/** Names that a WITH clause brings, folded. */
function commonNames(tokens: readonly MysqlToken[]): Set<string> {
  const names = new Set<string>();
  if (!tokens.some((token) => isWord(token, 'with'))) return names;
  tokens.forEach((token, at) => {
    if (!isWord(token, 'as') || !isSymbol(tokens[at + 1], '(')) return;
    let before = at - 1;
    if (isSymbol(tokens[before], ')')) while (before > 0 && !isSymbol(tokens[before], '(')) before--;
    const named = isSymbol(tokens[before], '(') ? tokens[before - 1] : tokens[before];
    const lead = tokens[tokens.indexOf(named!) - 1];
    if (isName(named) && (isWord(lead, 'with', 'recursive') || isSymbol(lead, ','))) {
      names.add(named.value.toLowerCase());
    }
  });
  return names;
}
