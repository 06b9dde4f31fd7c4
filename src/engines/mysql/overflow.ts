import { cachedKey, readOverflow } from './cached-pages.ts';
import type { MysqlConnections } from './connections.ts';
import type { StoredIndex } from './stored-indexes.ts';

interface PagesWith {
  readonly pages: number;
  readonly entries: number;
}

/**
 * Divides the pages of tables with long values between the rows and what lies outside of them: the server counts
 * them as one, so that it is told by how many rows most cached pages hold. Others stay as they are.
 */
export async function divideOverflow(
  connections: MysqlConnections,
  stored: readonly StoredIndex[],
  signal?: AbortSignal,
): Promise<StoredIndex[]> {
  const counts = new Map<string, PagesWith[]>();
  for (const database of new Set(stored.filter((one) => one.overflow).map((one) => one.database))) {
    for (const { table, pages, entries } of await readOverflow(connections, database, signal)) {
      const key = cachedKey(table);
      counts.set(key, [...(counts.get(key) ?? []), { pages, entries }]);
    }
  }
  return stored.map((one) => {
    if (one.longColumns.length === 0) return one;
    const { overflow: _, ...main } = one;
    const cached = counts.get(cachedKey(main)) ?? [];
    const usual = usualEntries(cached);
    if (usual === 0) return one;
    const held = cached.reduce((sum, { pages }) => sum + pages, 0);
    const ofRows = Math.min(one.pages, Math.max(held, Math.ceil(one.rows / usual)));
    return { ...one, pages: one.overflow ? Math.max(1, one.pages - ofRows) : ofRows };
  });
}

/** The median: pages above the rows have many more entries, and are few. */
function usualEntries(cached: readonly PagesWith[]): number {
  const ordered = cached.filter(({ entries }) => entries > 0).sort((a, b) => a.entries - b.entries);
  const all = ordered.reduce((sum, { pages }) => sum + pages, 0);
  let before = 0;
  for (const { pages, entries } of ordered) {
    before += pages;
    if (before * 2 >= all) return entries;
  }
  return 0;
}
