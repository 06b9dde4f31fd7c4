import { type WrittenTable, writtenTables } from '../../attribution/mysql-tables.ts';
import { tokenize } from '../../attribution/mysql-tokens.ts';
import type { MysqlConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const tablesStatement = sqlStatement('table-catalog');
const indexesStatement = sqlStatement('index-catalog');
const datesStatement = sqlStatement('date-catalog');
const viewsStatement = sqlStatement('view-catalog');

export interface CatalogTable {
  readonly database: string;
  readonly name: string;
  /** Columns by index, folded. */
  readonly indexes: ReadonlyMap<string, readonly string[]>;
  /** Its full-text indexes: MySQL and MariaDB count no access by them. */
  readonly fullText: ReadonlySet<string>;
  /** Columns that take a date, folded. */
  readonly dates: ReadonlySet<string>;
  /** MySQL and MariaDB count no access by ranges of its indexes. */
  readonly partitioned: boolean;
}

export interface ResolvedTable {
  /** As the statement, or the view that holds it, calls the table. */
  readonly alias: string;
  readonly table: CatalogTable;
}

interface TableName {
  readonly database: string;
  readonly name: string;
}

interface DatabaseCatalog {
  readonly tables: ReadonlyMap<string, CatalogTable>;
  readonly views: ReadonlyMap<string, string>;
  readonly readAtMs: number;
}

/** A name that is not there is looked for again after this time: a table may be new, or temporary. */
const rereadMs = 60_000;
const viewDepth = 8;
/** In `information_schema`; MariaDB has a type of its own for tables that keep the history of their rows. */
const tableTypes = new Set(['BASE TABLE', 'SYSTEM VERSIONED']);

/** Tables, indexes and views of the watched databases, read when a statement names one that is not known. */
export class Catalog {
  readonly #connections: MysqlConnections;
  readonly #nowMs: () => number;
  readonly #databases = new Map<string, DatabaseCatalog>();
  #foldsNames = false;

  constructor(connections: MysqlConnections, nowMs: () => number) {
    this.#connections = connections;
    this.#nowMs = nowMs;
  }

  set foldsNames(folds: boolean) {
    this.#foldsNames = folds;
  }

  /**
   * The base tables behind these names, through views, by the aliases that a plan gives them. Names of databases
   * that are not watched, and unknown ones, are left out.
   */
  async resolve(written: readonly WrittenTable[], database: string): Promise<ResolvedTable[]> {
    const found: ResolvedTable[] = [];
    await this.#resolve(written, database, found, 0);
    return found;
  }

  async #resolve(
    written: readonly WrittenTable[],
    database: string,
    found: ResolvedTable[],
    depth: number,
  ): Promise<void> {
    for (const one of written) {
      const name = { database: one.database ?? database, name: one.name };
      await this.#read(name);
      const catalog = this.#databases.get(this.#fold(name.database));
      const table = catalog?.tables.get(this.#fold(name.name));
      if (table !== undefined) found.push({ alias: one.alias, table });
      const view = table === undefined ? catalog?.views.get(this.#fold(name.name)) : undefined;
      if (view === undefined || depth >= viewDepth) continue;
      await this.#resolve(writtenTables(tokenize(view)), name.database, found, depth + 1);
    }
  }

  async #read({ database, name }: TableName): Promise<void> {
    const watched = this.#connections.databases.find((one) => this.#fold(one) === this.#fold(database));
    if (watched === undefined) return;
    const known = this.#databases.get(this.#fold(watched));
    const folded = this.#fold(name);
    if (known?.tables.has(folded) === true || known?.views.has(folded) === true) return;
    if (known !== undefined && this.#nowMs() - known.readAtMs < rereadMs) return;
    this.#databases.set(this.#fold(watched), await this.#readDatabase(watched));
  }

  async #readDatabase(database: string): Promise<DatabaseCatalog> {
    type Rows = Record<
      'name' | 'type' | 'table' | 'index' | 'column' | 'definition' | 'options' | 'indexType',
      string
    >;
    const read = <Key extends keyof Rows>(statement: typeof tablesStatement) =>
      this.#connections.query<Pick<Rows, Key>>(statement, [database]);
    const names = await read<'name' | 'type' | 'options'>(tablesStatement);
    const dates = new Map<string, Set<string>>();
    for (const { table, column } of await read<'table' | 'column'>(datesStatement)) {
      dates.set(table, (dates.get(table) ?? new Set()).add(column.toLowerCase()));
    }
    const columns = new Map<string, Map<string, string[]>>();
    const fullText = new Map<string, Set<string>>();
    type IndexKey = 'table' | 'index' | 'column' | 'indexType';
    for (const { table, index, column, indexType } of await read<IndexKey>(indexesStatement)) {
      if (indexType === 'FULLTEXT') fullText.set(table, (fullText.get(table) ?? new Set()).add(index));
      const indexes = columns.get(table) ?? new Map<string, string[]>();
      columns.set(table, indexes);
      indexes.set(index, [...(indexes.get(index) ?? []), column?.toLowerCase() ?? '']);
    }
    const views = await read<'name' | 'definition'>(viewsStatement);
    const tables = names
      .filter(({ type }) => tableTypes.has(type))
      .map(({ name, options }) => ({
        database,
        name,
        indexes: columns.get(name) ?? new Map(),
        fullText: fullText.get(name) ?? new Set<string>(),
        dates: dates.get(name) ?? new Set<string>(),
        partitioned: options.includes('partitioned'),
      }));
    return {
      tables: new Map(tables.map((table) => [this.#fold(table.name), table])),
      views: new Map(views.map(({ name, definition }) => [this.#fold(name), definition])),
      readAtMs: this.#nowMs(),
    };
  }

  #fold(name: string): string {
    return this.#foldsNames ? name.toLowerCase() : name;
  }
}
