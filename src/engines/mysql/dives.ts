import type { MysqlConnections } from './connections.ts';
import { prefixCondition } from './key-range.ts';
import type { Dives } from './key-space.ts';
import type { KeyValue } from './key-values.ts';
import { quoteIdentifier } from './sql.ts';
import type { StoredIndex } from './stored-indexes.ts';

/** The tree, and no other of its table. */
export function fromIndex(index: StoredIndex): string {
  const { database, table, partition, keyName } = index;
  const part = partition === undefined ? '' : ` PARTITION (${quoteIdentifier(partition)})`;
  // Rows with a hidden key are reached by no index at all.
  const way = keyName === undefined ? 'USE INDEX ()' : `FORCE INDEX (${quoteIdentifier(keyName)})`;
  return `${quoteIdentifier(database)}.${quoteIdentifier(table)}${part} ${way}`;
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
    const rows = await connections.session({ purpose: 'walk' }, (session) =>
      session.run<{ value: KeyValue }>(text, [...where.values, ...options.values]),
    );
    return rows[0]?.value;
  };
  const estimate = async (where: string, values: readonly KeyValue[]): Promise<number> => {
    const text = `EXPLAIN SELECT COUNT(*) FROM ${fromIndex(index)} WHERE ${where}`;
    const rows = await connections.session({ purpose: 'walk' }, (session) =>
      session.run<{ rows: number | string | null }>(text, values),
    );
    return Number(rows[0]?.rows ?? 0);
  };
  return {
    least: (prefix, from) =>
      from === undefined
        ? edge({ prefix, direction: 'ASC', more: 'IS NOT NULL', values: [] })
        : edge({ prefix, direction: 'ASC', more: from.exclusive ? '> ?' : '>= ?', values: [from.value] }),
    greatest: (prefix) => edge({ prefix, direction: 'DESC', more: 'IS NOT NULL', values: [] }),
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
