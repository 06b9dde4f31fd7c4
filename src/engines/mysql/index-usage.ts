import type { MysqlConnections } from './connections.ts';
import { Counters } from './counters.ts';
import { sqlStatement } from './sql.ts';

const countsStatement = sqlStatement('index-counts');

interface IndexRow {
  readonly database: string;
  readonly table: string;
  readonly index: string;
  readonly accesses: number;
}

export const indexKey = (database: string, table: string, index: string): string =>
  JSON.stringify([database, table, index]);
export const tableKey = (database: string, table: string): string => JSON.stringify([database, table]);

const faded = 0.5;

/** Row accesses of every index of the watched databases by everybody, aged with every collect. */
export class IndexUsage {
  readonly #connections: MysqlConnections;
  readonly #counters = new Counters<IndexRow & { calls: number }>((row) =>
    indexKey(row.database, row.table, row.index),
  );
  readonly #columns = new Map<string, number>();
  #byTable = new Map<string, Map<string, number>>();

  constructor(connections: MysqlConnections) {
    this.#connections = connections;
  }

  async collect(keep: number): Promise<void> {
    const { databases } = this.#connections;
    if (databases.length === 0) return;
    const rows = await this.#connections.query<IndexRow>(countsStatement, [databases]);
    const grown = this.#counters.take(
      rows.map((row) => ({ ...row, calls: row.accesses })),
      true,
    );
    for (const [key, accesses] of this.#columns) {
      if (accesses * keep < faded) this.#columns.delete(key);
      else this.#columns.set(key, accesses * keep);
    }
    for (const { row, accesses } of grown) {
      const key = indexKey(row.database, row.table, row.index);
      this.#columns.set(key, (this.#columns.get(key) ?? 0) + accesses);
    }
    this.#byTable = new Map();
    for (const [key, accesses] of this.#columns) {
      const [database, table, index] = JSON.parse(key) as [string, string, string];
      const ofTable = this.#byTable.get(tableKey(database, table)) ?? new Map<string, number>();
      this.#byTable.set(tableKey(database, table), ofTable.set(index, accesses));
    }
  }

  /** By `indexKey`. Empty where the server counts nothing. */
  get columns(): ReadonlyMap<string, number> {
    return this.#columns;
  }

  /** What was counted of a table, by index. */
  ofTable(database: string, table: string): ReadonlyMap<string, number> {
    return this.#byTable.get(tableKey(database, table)) ?? new Map();
  }
}
