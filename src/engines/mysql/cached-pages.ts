import type { MysqlConnections } from './connections.ts';
import { splitStoredName } from './names.ts';
import { sqlStatement } from './sql.ts';

const cachedIndexesStatement = sqlStatement('cached-indexes');
const bufferPagesStatement = sqlStatement('buffer-pages');

/** Cached pages of each index, by `cachedKey`. */
export type CachedPages = ReadonlyMap<string, number>;

interface Row {
  readonly tableName: string;
  readonly indexName: string;
  readonly pages: number | string;
}

const hiddenKey = 'GEN_CLUST_INDEX';

export const cachedKey = (of: {
  readonly database: string;
  readonly table: string;
  readonly partition: string | undefined;
  readonly keyName: string | undefined;
}): string =>
  JSON.stringify([of.database, of.table, of.partition?.toLowerCase() ?? null, of.keyName ?? hiddenKey]);

/** What the pool holds of these databases' indexes: how many pages, not which. */
export async function readCachedPages(
  connections: MysqlConnections,
  databases: readonly string[],
  signal?: AbortSignal,
): Promise<CachedPages> {
  const { dialect } = await connections.server();
  const found = new Map<string, number>();
  for (const database of new Set(databases)) {
    const rows = dialect.cachedIndexes
      ? await connections.query<Row>(cachedIndexesStatement, [database], { purpose: 'walk', signal })
      : await connections.query<Row>(bufferPagesStatement, [quotedPattern(database)], {
          purpose: 'walk',
          signal,
        });
    for (const row of rows) {
      const name = dialect.cachedIndexes ? splitStoredName(row.tableName) : quotedName(row.tableName);
      if (name === undefined) continue;
      const key = cachedKey({ database, ...name, keyName: row.indexName });
      found.set(key, (found.get(key) ?? 0) + Number(row.pages));
    }
  }
  return found;
}

/** Pattern of "`database`.`…", with LIKE's own signs taken literally. */
function quotedPattern(database: string): string {
  const quoted = `\`${database.replaceAll('`', '``')}\`.`;
  return `${quoted.replace(/[\\%_]/g, '\\$&')}%`;
}

/** From "`shop`.`orders`", with ` /* Partition `p0` * /` behind it for a partition. */
function quotedName(text: string): { table: string; partition: string | undefined } | undefined {
  const match = /^`(?:[^`]|``)*`\.`((?:[^`]|``)*)`(?: \/\* Partition `((?:[^`]|``)*)`.*)?/.exec(text);
  if (match === null) return undefined;
  const table = match[1]!.replaceAll('``', '`');
  return match[2] === undefined
    ? splitStoredName(table)
    : { table, partition: match[2].replaceAll('``', '`') };
}
