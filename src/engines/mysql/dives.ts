import type { MysqlConnections } from './connections.ts';
import type { Dives, Key } from './key-division.ts';
import { type Condition, compare, prefixCondition } from './key-range.ts';
import type { KeyValue } from './key-values.ts';
import { quoteIdentifier } from './sql.ts';
import type { StoredIndex } from './stored-indexes.ts';

/** The tree, and no other of its table. */
export function fromIndex(index: StoredIndex): string {
  const { database, table, partition, keyName, versioned } = index;
  const part = partition === undefined ? '' : ` PARTITION (${quoteIdentifier(partition)})`;
  const times = versioned ? ' FOR SYSTEM_TIME ALL' : '';
  // Rows with a hidden key are reached by no index at all.
  const way = keyName === undefined ? 'USE INDEX ()' : `FORCE INDEX (${quoteIdentifier(keyName)})`;
  return `${quoteIdentifier(database)}.${quoteIdentifier(table)}${part}${times} ${way}`;
}

/**
 * Whether the server answers for the least value of this column from a bound on by one walk down the tree, before it
 * plans anything: not by a falling column, nor by the beginning of one. With ORDER BY some versions first estimate
 * the whole range, which reads ten pages more.
 */
export function canAskLeast(index: StoredIndex, at: number): boolean {
  const column = index.columns[at];
  return (
    index.keyName !== undefined &&
    index.floor === undefined &&
    column !== undefined &&
    !column.falls &&
    column.type !== 'opaque'
  );
}

/** The least value at or after one; only where `canAskLeast`. */
export const leastFrom = (
  index: StoredIndex,
  prefix: Key,
  from: { readonly value: KeyValue; readonly exclusive: boolean },
): Condition =>
  extreme(index, prefix, { what: 'MIN', operator: from.exclusive ? '>' : '>=', value: from.value });

/** The least and the greatest value under a prefix; only where `canAskLeast`. */
export function edgesUnder(index: StoredIndex, prefix: Key): Condition {
  const column = index.columns[prefix.length]!;
  const { text, values } = prefixCondition(index.columns, prefix);
  return {
    text: `SELECT ${comparable(column, 'MIN')} AS low, ${comparable(column, 'MAX')} AS high FROM ${fromIndex(index)} WHERE ${text}`,
    values,
  };
}

/** As it compares with others: a FLOAT's shortest text is another number. */
function comparable({ name, type }: StoredIndex['columns'][number], what = ''): string {
  const value = `${what}(${quoteIdentifier(name)})`;
  return type === 'float' ? `${value} + 0e0` : value;
}

function extreme(
  index: StoredIndex,
  prefix: Key,
  wanted: { readonly what: 'MIN' | 'MAX'; readonly operator: '<' | '>' | '>='; readonly value: KeyValue },
): Condition {
  const { what, operator, value } = wanted;
  const column = index.columns[prefix.length]!;
  const where = prefixCondition(index.columns, prefix);
  const bound = compare(column, operator, value);
  return {
    text: `SELECT ${comparable(column, what)} AS value FROM ${fromIndex(index)} WHERE ${where.text} AND ${bound.text}`,
    values: [...where.values, ...bound.values],
  };
}

/** Asks the server: each question reads one entry of the index, or asks the optimizer alone. */
export function createDives(connections: MysqlConnections, index: StoredIndex): Dives {
  const { columns } = index;
  const edge = async (
    prefix: Key,
    direction: 'ASC' | 'DESC',
    bound?: { readonly operator: '<' | '>' | '>='; readonly value: KeyValue },
  ): Promise<KeyValue | undefined> => {
    const column = columns[prefix.length]!;
    const name = quoteIdentifier(column.name);
    const where = prefixCondition(columns, prefix);
    const more =
      bound === undefined
        ? { text: `${name} IS NOT NULL`, values: [] }
        : compare(column, bound.operator, bound.value);
    const text =
      `SELECT ${comparable(column)} AS value FROM ${fromIndex(index)} WHERE ${where.text} AND ${more.text} ` +
      `ORDER BY ${name} ${direction} LIMIT 1`;
    const rows = await connections.session({ purpose: 'walk', as: 'dive-keys' }, (session) =>
      session.run<{ value: KeyValue }>(text, [...where.values, ...more.values]),
    );
    return rows[0]?.value;
  };
  const ask = async ({ text, values }: Condition): Promise<KeyValue | undefined> => {
    const rows = await connections.session({ purpose: 'walk', as: 'dive-keys' }, (session) =>
      session.run<{ value: KeyValue | null }>(text, values),
    );
    return rows[0]?.value ?? undefined;
  };
  const estimate = async (where: string, values: readonly KeyValue[]): Promise<number> => {
    const text = `EXPLAIN SELECT COUNT(*) FROM ${fromIndex(index)} WHERE ${where}`;
    const rows = await connections.session({ purpose: 'walk', as: 'dive-keys' }, (session) =>
      session.run<{ rows: number | string | null }>(text, values),
    );
    return Number(rows[0]?.rows ?? 0);
  };
  return {
    least: async (prefix, from) => {
      if (from === undefined) return edge(prefix, 'ASC');
      if (canAskLeast(index, prefix.length)) return ask(leastFrom(index, prefix, from));
      return edge(prefix, 'ASC', { operator: from.exclusive ? '>' : '>=', value: from.value });
    },
    greatest: (prefix, below) => {
      if (below === undefined) return edge(prefix, 'DESC');
      const bound = { operator: '<', value: below } as const;
      if (canAskLeast(index, prefix.length)) return ask(extreme(index, prefix, { what: 'MAX', ...bound }));
      return edge(prefix, 'DESC', bound);
    },
    rows: async (prefix, low, high) => {
      const column = columns[prefix.length]!;
      const parts = [prefixCondition(columns, prefix), compare(column, '>=', low)];
      if (high !== undefined) parts.push(compare(column, '<', high));
      return estimate(
        parts.map(({ text }) => text).join(' AND '),
        parts.flatMap(({ values }) => values),
      );
    },
    allRows: () => estimate('TRUE', []),
  };
}
