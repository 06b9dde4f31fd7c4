import type { MysqlConnections } from './connections.ts';
import { type IndexName, splitStoredName } from './names.ts';
import { quoteIdentifier, type SqlStatement, sqlStatement } from './sql.ts';
import { UncountedPages } from './uncounted-pages.ts';

const cachedIndexesStatement = sqlStatement('cached-indexes');
const byFileStatement = sqlStatement('cached-by-file');
const bufferPagesStatement = sqlStatement('buffer-pages');
const overflowStatements = {
  mysql: sqlStatement('overflow-pages-mysql'),
  mariadb: sqlStatement('overflow-pages-mariadb'),
};

/** Cached pages of each index, by `cachedKey`. */
export type CachedPages = ReadonlyMap<string, number>;

interface Row {
  readonly tableName: string;
  readonly indexName: string;
  readonly pages: number | string;
  /** 0: one that many tables may share. */
  readonly file?: number | string;
}

interface OverflowRow {
  readonly tableName: string;
  readonly indexName: string | null;
  readonly entries: number | string;
  readonly pages: number | string;
}

const hiddenKey = 'GEN_CLUST_INDEX';

export const cachedKey = (of: {
  readonly database: string;
  readonly table: string;
  readonly partition: string | undefined;
  readonly keyName: string | undefined;
  readonly overflow?: true;
}): string =>
  JSON.stringify([
    of.database,
    of.table,
    of.partition?.toLowerCase() ?? null,
    // No index has an empty name.
    of.overflow ? '' : (of.keyName ?? hiddenKey),
  ]);

type Table = Pick<IndexName, 'database' | 'table' | 'partition' | 'overflow'>;

interface CachedIndex {
  readonly table: string;
  readonly partition: string | undefined;
  readonly keyName: string;
  readonly pages: number;
}

interface Asked {
  readonly database: string;
  readonly tables: readonly Table[];
  readonly signal: AbortSignal | undefined;
}

/** What the pool holds of indexes: how many pages, not which. */
export class CachedPagesReader {
  readonly #connections: MysqlConnections;
  readonly #uncounted: UncountedPages;

  constructor(connections: MysqlConnections) {
    this.#connections = connections;
    this.#uncounted = new UncountedPages(connections);
  }

  /** Of the indexes of these tables' databases. */
  async read(tables: readonly Table[], signal?: AbortSignal): Promise<CachedPages> {
    const found = new Map<string, number>();
    for (const database of new Set(tables.map((one) => one.database))) {
      const mine = tables.filter((one) => one.database === database);
      for (const [key, pages] of await this.#readDatabase({ database, tables: mine, signal })) {
        found.set(key, pages);
      }
      if (mine.some((one) => one.overflow)) {
        for (const { table, pages } of await readOverflow(this.#connections, database, signal)) {
          if (table.keyName !== '') continue;
          const key = cachedKey({ ...table, overflow: true });
          found.set(key, (found.get(key) ?? 0) + pages);
        }
      }
    }
    return found;
  }

  /** By the server's counters or by the tables' files, whichever it has; where these do not tell the tables apart, by their names. */
  async #readDatabase(asked: Asked): Promise<CachedPages> {
    const { database, tables, signal } = asked;
    const { dialect } = await this.#connections.server();
    const [statement, tells] = dialect.cachedIndexes
      ? [cachedIndexesStatement, isCounted]
      : [byFileStatement, hasPlainName];
    if (!tables.every(tells)) return await this.#walk(asked);
    const counted = await this.#count(asked, statement);
    if (counted === undefined) return await this.#walk(asked);
    if (!dialect.cachedIndexes) return counted;
    const looks = {
      walk: () => this.#walk(asked),
      count: async () => (await this.#count(asked, statement)) ?? counted,
    };
    const uncounted = await this.#uncounted.of(database, looks, signal);
    const keys = new Set([...counted.keys(), ...uncounted.keys()]);
    return new Map([...keys].map((key) => [key, (counted.get(key) ?? 0) + (uncounted.get(key) ?? 0)]));
  }

  /** Undefined where a file is that of several tables. */
  async #count({ database, signal }: Asked, statement: SqlStatement): Promise<CachedPages | undefined> {
    const pattern = likePattern(`${encoded(database)}/`);
    const rows = await this.#connections.query<Row>(statement, [pattern], { purpose: 'walk', signal });
    if (rows.some(({ file }) => Number(file ?? 1) === 0)) return undefined;
    const indexes = rows.map(({ tableName, indexName, pages }) => ({
      ...splitStoredName(fileName(tableName)),
      keyName: indexName,
      pages: Number(pages),
    }));
    return sumsOf(database, indexes);
  }

  async #walk({ database, signal }: Asked): Promise<CachedPages> {
    const pattern = likePattern(`${quoteIdentifier(database)}.`);
    const rows = await this.#connections.query<Row>(bufferPagesStatement, [pattern], {
      purpose: 'walk',
      signal,
    });
    const indexes = rows.flatMap(({ tableName, indexName, pages }) => {
      const name = quotedName(tableName);
      return name === undefined ? [] : [{ ...name, keyName: indexName, pages: Number(pages) }];
    });
    return sumsOf(database, indexes);
  }
}

function sumsOf(database: string, indexes: readonly CachedIndex[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { pages, ...index } of indexes) {
    const key = cachedKey({ database, ...index });
    sums.set(key, (sums.get(key) ?? 0) + pages);
  }
  return sums;
}

/** Cached pages of indexes by the number of their entries, and, under an empty `keyName`, of values outside of rows. */
export async function readOverflow(
  connections: MysqlConnections,
  database: string,
  signal?: AbortSignal,
): Promise<
  {
    readonly table: {
      readonly database: string;
      readonly table: string;
      readonly partition: string | undefined;
      readonly keyName: string;
    };
    readonly pages: number;
    readonly entries: number;
  }[]
> {
  const { dialect } = await connections.server();
  const rows = await connections.query<OverflowRow>(
    overflowStatements[dialect.kind],
    [likePattern(`${encoded(database)}/`)],
    { purpose: 'walk', signal },
  );
  return rows.map(({ tableName, indexName, pages, entries }) => ({
    table: {
      database,
      ...splitStoredName(fileName(tableName)),
      keyName: indexName ?? '',
    },
    pages: Number(pages),
    entries: Number(entries),
  }));
}

/** Files' names are in a code that for other characters only the server can undo. */
const hasPlainName = ({ database, table, partition = '' }: Table): boolean =>
  /^[\x20-\x7e]*$/.test(database + table + partition);

/** The counters leave partitions out. */
const isCounted = (table: Table): boolean => table.partition === undefined && hasPlainName(table);

const encoded = (name: string): string =>
  name.replace(/[^A-Za-z0-9_]/g, (char) => `@${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

const decoded = (name: string): string =>
  name.replace(/@([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));

/** The table of `database/table`, encoded. */
const fileName = (text: string): string => decoded(text.slice(text.indexOf('/') + 1));

/** What begins with this text. */
const likePattern = (text: string): string => `${text.replace(/[\\%_]/g, '\\$&')}%`;

/** From "`shop`.`orders`", with ` /* Partition `p0`, Subpartition `p0s1` * /` behind it for one of these. */
export function quotedName(text: string): { table: string; partition: string | undefined } | undefined {
  const name = '`((?:[^`]|``)*)`';
  const match = new RegExp(
    `^${name}\\.${name}(?: /\\* Partition ${name}(?:, Subpartition ${name})?.*)?`,
  ).exec(text);
  if (match === null) return undefined;
  const [table = '', partition] = [match[2], match[4] ?? match[3]].map((one) => one?.replaceAll('``', '`'));
  return partition === undefined ? splitStoredName(table) : { table, partition };
}
