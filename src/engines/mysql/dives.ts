import type { MysqlConnections } from './connections.ts';
import type { Dives, Key } from './key-division.ts';
import { type Condition, prefixCondition } from './key-range.ts';
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
  const names = index.columns.map((one) => one.name);
  const column = quoteIdentifier(names[prefix.length]!);
  const { text, values } = prefixCondition(names, prefix);
  return {
    text: `SELECT MIN(${column}) AS low, MAX(${column}) AS high FROM ${fromIndex(index)} WHERE ${text}`,
    values,
  };
}

function extreme(
  index: StoredIndex,
  prefix: Key,
  wanted: { readonly what: 'MIN' | 'MAX'; readonly operator: string; readonly value: KeyValue },
): Condition {
  const { what, operator, value } = wanted;
  const names = index.columns.map((one) => one.name);
  const column = quoteIdentifier(names[prefix.length]!);
  const where = prefixCondition(names, prefix);
  return {
    text: `SELECT ${what}(${column}) AS value FROM ${fromIndex(index)} WHERE ${where.text} AND ${column} ${operator} ?`,
    values: [...where.values, value],
  };
}

/** Asks the server: each question reads one entry of the index, or asks the optimizer alone. */
export function createDives(connections: MysqlConnections, index: StoredIndex): Dives {
  const columns = index.columns.map((column) => column.name);
  const edge = async (options: {
    readonly prefix: readonly KeyValue[];
    readonly direction: 'ASC' | 'DESC';
    readonly more: string;
    readonly values: readonly KeyValue[];
  }): Promise<KeyValue | undefined> => {
    const column = quoteIdentifier(columns[options.prefix.length]!);
    const where = prefixCondition(columns, options.prefix);
    const text =
      `SELECT ${column} AS value FROM ${fromIndex(index)} WHERE ${where.text} AND ${column} ${options.more} ` +
      `ORDER BY ${column} ${options.direction} LIMIT 1`;
    const rows = await connections.session({ purpose: 'walk', as: 'dive-keys' }, (session) =>
      session.run<{ value: KeyValue }>(text, [...where.values, ...options.values]),
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
      if (from === undefined) return edge({ prefix, direction: 'ASC', more: 'IS NOT NULL', values: [] });
      if (!canAskLeast(index, prefix.length)) {
        return edge({
          prefix,
          direction: 'ASC',
          more: from.exclusive ? '> ?' : '>= ?',
          values: [from.value],
        });
      }
      return ask(leastFrom(index, prefix, from));
    },
    greatest: (prefix, below) => {
      if (below === undefined) return edge({ prefix, direction: 'DESC', more: 'IS NOT NULL', values: [] });
      if (!canAskLeast(index, prefix.length)) {
        return edge({ prefix, direction: 'DESC', more: '< ?', values: [below] });
      }
      return ask(extreme(index, prefix, { what: 'MAX', operator: '<', value: below }));
    },
    rows: async (prefix, low, high) => {
      const column = quoteIdentifier(columns[prefix.length]!);
      const where = prefixCondition(columns, prefix);
      const end = high === undefined ? '' : ` AND ${column} < ?`;
      return estimate(`${where.text} AND ${column} >= ?${end}`, [
        ...where.values,
        low,
        ...(high === undefined ? [] : [high]),
      ]);
    },
    allRows: () => estimate('TRUE', []),
  };
}
