import { cachedKey, readOverflow } from './cached-pages.ts';
import type { MysqlConnections } from './connections.ts';
import type { StoredIndex } from './stored-indexes.ts';

/**
 * Divides the pages of tables with long values between the rows and what lies outside of them: the server counts
 * them as one, so that it is told by how many rows the cached pages hold. Others stay as they are.
 */
export async function divideOverflow(
  connections: MysqlConnections,
  stored: readonly StoredIndex[],
  signal?: AbortSignal,
): Promise<StoredIndex[]> {
  const rowPages = new Map<string, { readonly pages: number; readonly pagesByEntry: number }>();
  for (const database of new Set(stored.filter((one) => one.overflow).map((one) => one.database))) {
    for (const { table, ...counted } of await readOverflow(connections, database, signal)) {
      rowPages.set(cachedKey(table), counted);
    }
  }
  return stored.map((one) => {
    if (one.longColumns.length === 0) return one;
    const { overflow: _, ...main } = one;
    const counted = rowPages.get(cachedKey(main));
    if (counted === undefined || counted.pagesByEntry === 0) return one;
    const expected = Math.ceil((one.rows * counted.pagesByEntry) / counted.pages);
    const ofRows = Math.min(one.pages, Math.max(counted.pages, expected));
    return { ...one, pages: one.overflow ? Math.max(1, one.pages - ofRows) : ofRows };
  });
}
