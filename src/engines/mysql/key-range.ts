import type { Key } from './key-division.ts';
import type { Bound } from './key-space.ts';
import type { KeyValue } from './key-values.ts';
import { quoteIdentifier } from './sql.ts';

export interface KeyColumn {
  readonly name: string;
  /**
   * Of an ENUM, in the order of its index: the server compares them as texts. Rows that were stored with none of them are
   * left out where the index is read in parts.
   */
  readonly members?: readonly string[];
}

type Operator = '=' | '<' | '>' | '>=';

/** A condition with its values, for the driver to escape. */
export interface Condition {
  readonly text: string;
  readonly values: readonly KeyValue[];
}

const everything: Condition = { text: 'TRUE', values: [] };

/**
 * Rows of an index with lower <= key < upper, as the optimizer can walk them: comparisons of single columns,
 * for row comparisons are not used as ranges. From the beginning, rows with NULL are among them.
 */
export function rangeCondition(columns: readonly KeyColumn[], lower: Key, upper: Bound): Condition {
  const end: Key = upper === 'end' ? [] : upper;
  let shared = 0;
  while (shared < lower.length && shared < end.length && equal(lower[shared]!, end[shared]!)) shared++;
  const parts = [
    ...lower.slice(0, shared).map((value, at) => compare(columns[at]!, '=', value)),
    after(columns, lower, shared),
    before(columns, end, { from: shared, bounded: lower.length > shared }),
  ].filter((part) => part !== everything);
  return parts.length === 0 ? everything : join(parts, ' AND ');
}

/** The rows under a prefix. */
export const prefixCondition = (columns: readonly KeyColumn[], prefix: Key): Condition =>
  prefix.length === 0
    ? everything
    : join(
        prefix.map((value, at) => compare(columns[at]!, '=', value)),
        ' AND ',
      );

/** key >= lower, whose first `from` columns are known to be equal. */
function after(columns: readonly KeyColumn[], lower: Key, from: number): Condition {
  return boundary(columns, lower, from, (last) => (last ? '>=' : '>'));
}

/** key < upper, likewise; NULLs come first in a column, unless the lower key has `bounded` it. */
function before(
  columns: readonly KeyColumn[],
  upper: Key,
  { from, bounded }: { readonly from: number; readonly bounded: boolean },
): Condition {
  const below = boundary(columns, upper, from, () => '<');
  if (below === everything) return below;
  const nulls = upper.slice(from).flatMap((_, index) => {
    const at = from + index;
    if (index === 0 && bounded) return [];
    const equals = upper.slice(from, at).map((one, column) => compare(columns[from + column]!, '=', one));
    const isNull = { text: `${quoteIdentifier(columns[at]!.name)} IS NULL`, values: [] };
    const way = join([...equals, isNull], ' AND ');
    return [{ ...way, text: `(${way.text})` }];
  });
  const all = join([below, ...nulls], ' OR ');
  return { ...all, text: `(${all.text})` };
}

function boundary(
  columns: readonly KeyColumn[],
  key: Key,
  from: number,
  operator: (last: boolean) => Operator,
): Condition {
  if (key.length <= from) return everything;
  const ways = key.slice(from).map((value, index) => {
    const at = from + index;
    const equals = key.slice(from, at).map((one, column) => compare(columns[from + column]!, '=', one));
    return join([...equals, compare(columns[at]!, operator(at === key.length - 1), value)], ' AND ');
  });
  const all = join(
    ways.map((way) => ({ ...way, text: `(${way.text})` })),
    ' OR ',
  );
  return { ...all, text: `(${all.text})` };
}

/** A comparison of one column in the order of its index. */
export function compare(column: KeyColumn, operator: Operator, value: KeyValue): Condition {
  const name = quoteIdentifier(column.name);
  const { members } = column;
  if (members === undefined || operator === '=') return { text: `${name} ${operator} ?`, values: [value] };
  const at = members.indexOf(String(value));
  const values = {
    '<': members.slice(0, Math.max(0, at)),
    '>': members.slice(at + 1),
    '>=': members.slice(Math.max(0, at)),
  }[operator];
  return values.length === 0
    ? { text: 'FALSE', values }
    : { text: `${name} IN (${values.map(() => '?').join(', ')})`, values };
}

const join = (parts: readonly Condition[], by: string): Condition => ({
  text: parts.map((part) => part.text).join(by),
  values: parts.flatMap((part) => part.values),
});

const equal = (a: KeyValue, b: KeyValue): boolean =>
  Buffer.isBuffer(a) && Buffer.isBuffer(b) ? a.equals(b) : String(a) === String(b);
