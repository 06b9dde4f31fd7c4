import { ForewarmError } from '../../lib/errors.ts';
import type { MysqlConnections } from './connections.ts';
import { isDenied } from './error-numbers.ts';
import type { KeyColumn } from './key-range.ts';
import { type ValueType, valueTypeOf } from './key-values.ts';
import { type IndexName, refOf, splitStoredName } from './names.ts';
import { sqlStatement } from './sql.ts';

const indexesStatement = sqlStatement('indexes');
const tablesStatement = sqlStatement('tables');
const sizesStatement = sqlStatement('index-sizes');
const longColumnsStatement = sqlStatement('long-columns');

/** One B-tree of a table or partition. */
export interface StoredIndex extends IndexName {
  /** As the server calls it: `PRIMARY`, a unique key that serves as the clustered one, or `undefined` where rows have a hidden key. */
  readonly keyName: string | undefined;
  /** Columns that can bound a range, from the first on. */
  readonly columns: readonly (KeyColumn & { readonly type: ValueType; readonly falls: boolean })[];
  /** The least value of the first column, where only a bounded range is read through this index at all. */
  readonly floor?: string;
  /** Keeps the history of its rows, which lies among them: it must be asked for, or single entries cannot be. */
  readonly versioned?: true;
  /** Of a partition by hash: all with this name hold an even part each of the same rows, wherever their keys lie. */
  readonly evenPartOf?: string;
  /** Of a clustered index whose rows keep long values outside: with those values. */
  readonly pages: number;
  readonly rows: number;
  /** Columns of the clustered index whose values lie outside of many rows; else empty. */
  readonly longColumns: readonly string[];
}

interface IndexRow {
  readonly tableName: string;
  readonly indexName: string;
  readonly columnName: string | null;
  /** `D`: its values fall. */
  readonly direction: string | null;
  readonly prefixLength: number | string | null;
  readonly nonUnique: number | string;
  readonly indexType: string;
  readonly dataType: string | null;
  /** Of an ENUM, as its definition writes them. */
  readonly members: string | null;
  /** `PRI`: of the clustered key, also where that is a unique one. */
  readonly columnKey: string | null;
}

interface TableRow {
  readonly tableName: string;
  readonly engine: string | null;
  readonly versioned: number;
  readonly partitionName: string | null;
  readonly subpartitionName: string | null;
  /** 1: rows are divided by a hash of their key. */
  readonly hashed: number;
  readonly rowCount: number | string | null;
  readonly dataBytes: number | string | null;
  readonly indexBytes: number | string | null;
}

interface SizeRow {
  readonly tableName: string;
  readonly indexName: string;
  /** `size`: what is set aside for it; `n_leaf_pages`: its leaves. */
  readonly statName: string;
  readonly pages: number | string;
}

/** All B-trees of these tables; tables that are not here, or not InnoDB's, are left out. */
export async function readIndexes(
  connections: MysqlConnections,
  tables: readonly { readonly database: string; readonly table: string }[],
  options: { readonly pageBytes: number; readonly signal?: AbortSignal | undefined },
): Promise<StoredIndex[]> {
  const byDatabase = new Map<string, Set<string>>();
  for (const { database, table } of tables) {
    byDatabase.set(database, (byDatabase.get(database) ?? new Set()).add(table));
  }
  const found: StoredIndex[] = [];
  for (const [database, names] of byDatabase) {
    found.push(...(await readDatabase(connections, { ...options, database, names: [...names] })));
  }
  return found;
}

async function readDatabase(
  connections: MysqlConnections,
  options: {
    readonly database: string;
    readonly names: readonly string[];
    readonly pageBytes: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<StoredIndex[]> {
  const { database, names, signal } = options;
  const how = { purpose: 'walk', signal } as const;
  const tables = await connections.query<TableRow>(tablesStatement, [database, names], how);
  const rows = await connections.query<IndexRow>(indexesStatement, [database, names, database, names], how);
  const sizes = await readSizes(connections, database, signal);
  const columns = await connections.query<{ tableName: string; columnName: string }>(
    longColumnsStatement,
    [database, names],
    how,
  );
  const indexes = groupIndexes(rows);
  return tables
    .filter((table) => table.engine === 'InnoDB')
    .flatMap((table) => {
      const partition = table.subpartitionName ?? table.partitionName ?? undefined;
      const versioned = Number(table.versioned) === 1 ? ({ versioned: true } as const) : {};
      const above = table.subpartitionName === null ? '' : (table.partitionName ?? '');
      const hashed = Number(table.hashed) === 1 ? { evenPartOf: `${table.tableName}/${above}` } : {};
      const base = { database, table: table.tableName, partition, ...versioned, ...hashed };
      const own = indexes.get(table.tableName) ?? [];
      const clustered = own.find((index) => index.clustered);
      const secondary = own.filter((index) => !index.clustered && index.tree);
      const size = (keyName: string, bytes: number) =>
        sizes?.get(sizeKey(base, keyName)) ?? Math.max(1, Math.round(bytes / options.pageBytes));
      const indexBytes = Number(table.indexBytes ?? 0) / Math.max(1, secondary.length);
      const rows = Number(table.rowCount ?? 0);
      const dataBytes = Number(table.dataBytes ?? 0);
      const long = columns.filter((one) => one.tableName === table.tableName && dataBytes > rows * longRow);
      const main: StoredIndex = {
        ...base,
        index: undefined,
        keyName: clustered?.keyName,
        columns: clustered?.columns ?? [],
        pages: size(clustered?.keyName ?? hiddenKey, dataBytes),
        rows,
        longColumns: long.map((one) => one.columnName),
      };
      return [
        main,
        ...(long.length > 0 ? [{ ...main, overflow: true as const }] : []),
        ...secondary.map(({ keyName, columns, whole, floor }) => ({
          ...base,
          index: keyName,
          keyName,
          // Its entries end in the clustered key, which tells apart those that are equal.
          columns: whole ? withoutRepeats([...columns, ...(clustered?.columns ?? [])]) : columns,
          ...(floor === undefined ? {} : { floor }),
          pages: size(keyName, indexBytes),
          rows,
          longColumns: [],
        })),
      ];
    });
}

const hiddenKey = 'GEN_CLUST_INDEX';
/** Bytes a row on average from which on long values may lie outside of many: each of those has a page at least. */
const longRow = 1_024;

/** Undefined where the role may not read them. */
async function readSizes(
  connections: MysqlConnections,
  database: string,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    const rows = await connections.query<SizeRow>(sizesStatement, [database], { purpose: 'walk', signal });
    const sizes = new Map<string, { aside: number; leaves: number }>();
    for (const row of rows) {
      const key = sizeKey(splitStoredName(row.tableName), row.indexName);
      const known = sizes.get(key) ?? { aside: 0, leaves: 0 };
      if (row.statName === 'size') known.aside = Number(row.pages);
      else known.leaves = Number(row.pages);
      sizes.set(key, known);
    }
    return new Map([...sizes].map(([key, size]) => [key, pagesIn(size)] as const));
  } catch (error) {
    if (error instanceof ForewarmError && isDenied(error.cause)) return undefined;
    throw error;
  }
}

/** Pages that are set aside one by one, 32 for leaves and 32 for what is above them, before whole extents of 64 are. */
const singlePages = 64;
const halfExtent = 32;

/**
 * Of a small index all that is set aside is in use, and its count of leaves may be a guess; of a large one up to half
 * is not. One leaf cannot fill more than a page: it was counted before the index grew. Both in pages, as the stored statistics have them.
 */
export function pagesIn({ aside, leaves }: { readonly aside: number; readonly leaves: number }): number {
  if (aside <= singlePages) return Math.max(1, aside - 1);
  return leaves <= 1 ? aside - halfExtent : Math.round(Math.max(leaves, aside / 4));
}

const sizeKey = (of: { table: string; partition: string | undefined }, keyName: string): string =>
  JSON.stringify([of.table, of.partition?.toLowerCase() ?? null, keyName]);

interface GroupedIndex {
  readonly keyName: string;
  readonly columns: StoredIndex['columns'];
  readonly floor: string | undefined;
  /** All of its columns can bound a range. */
  readonly whole: boolean;
  readonly clustered: boolean;
  /** False: a full-text or spatial index, of which no range can be read. */
  readonly tree: boolean;
}

/** By table. The clustered one is PRIMARY, else that unique key without NULLs which the server has chosen for it: the one that was made first. */
function groupIndexes(rows: readonly IndexRow[]): ReadonlyMap<string, readonly GroupedIndex[]> {
  const byTable = new Map<string, Map<string, IndexRow[]>>();
  for (const row of rows) {
    const indexes = byTable.get(row.tableName) ?? new Map<string, IndexRow[]>();
    byTable.set(row.tableName, indexes);
    indexes.set(row.indexName, [...(indexes.get(row.indexName) ?? []), row]);
  }
  return new Map(
    [...byTable].map(([table, indexes]) => {
      const candidates = [...indexes].filter(([, parts]) =>
        parts.every((part) => Number(part.nonUnique) === 0 && part.columnKey === 'PRI' && isPlain(part)),
      );
      // All columns of the key that was chosen are marked, and others may consist of some of them.
      const unique = candidates.sort(([, a], [, b]) => b.length - a.length)[0]?.[0];
      const clustered = indexes.has('PRIMARY') ? 'PRIMARY' : unique;
      const grouped = [...indexes].map(([keyName, parts]) => ({
        keyName,
        columns: boundingColumns(parts),
        floor: isPrefix(parts[0]) ? '' : undefined,
        whole: parts.every(isPlain),
        clustered: keyName === clustered,
        tree: parts.every((part) => part.indexType === 'BTREE'),
      }));
      return [table, grouped] as const;
    }),
  );
}

/** An index of a column's beginning, or of an expression, cannot bound a range without looking at the rows. */
const isPlain = (part: IndexRow): boolean => part.columnName !== null && part.prefixLength === null;

/** Only the beginning of the column is indexed. */
const isPrefix = (part: IndexRow | undefined): boolean => part?.columnName != null && !isPlain(part);

function boundingColumns(parts: readonly IndexRow[]): GroupedIndex['columns'] {
  const end = parts.findIndex((part) => !isPlain(part) || !isCompared(part));
  const count = end < 0 ? parts.length : isPrefix(parts[0]) ? 1 : end;
  return parts.slice(0, count).map((part) => {
    const members = membersOf(part);
    return {
      name: part.columnName!,
      type: valueTypeOf(part.dataType ?? ''),
      falls: part.direction === 'D',
      ...(members === undefined ? {} : { members }),
    };
  });
}

/** More would make statements long. */
const mostMembers = 64;

/** What an ENUM's definition lists, in the order of the index. */
function membersOf({ members }: IndexRow): readonly string[] | undefined {
  // Characters that are written in another way differ between the products.
  if (members === null || members.includes('\\')) return undefined;
  const found = [...members.matchAll(/'((?:[^']|'')*)'/g)].map(([, one]) => one!.replaceAll("''", "'"));
  return found.length > mostMembers ? undefined : found;
}

/** Whether values that are written out compare as the index orders them: not those of sets of flags. */
function isCompared(part: IndexRow): boolean {
  const type = part.dataType?.toLowerCase();
  return type === 'enum' ? membersOf(part) !== undefined : type !== 'set' && type !== 'bit';
}

function withoutRepeats(columns: StoredIndex['columns']): StoredIndex['columns'] {
  return columns.filter((column, at) => columns.findIndex((other) => other.name === column.name) === at);
}

/** The key under which maps have an index. */
export const storedKey = (name: IndexName): string => {
  const { database, name: stored } = refOf(name);
  return JSON.stringify([database, stored]);
};
