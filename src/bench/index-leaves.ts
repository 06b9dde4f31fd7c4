import { rowsPerBlock } from '../lab/app-data.ts';
import type { PostgresServer } from '../lab/postgres-server.ts';

/** A page of a primary key that was built over ids 1 to n in one go. */
export interface IndexPage {
  readonly block: number;
  readonly leaf: boolean;
  /** Items, a high key not counted. */
  readonly ids: number;
}

/** Every page of a table's primary key, by contrib's pageinspect. */
export async function indexPagesOf(server: PostgresServer, table: string): Promise<readonly IndexPage[]> {
  const rows = await server.query<{ block: number; type: string; items: number; last: boolean }>(
    `SELECT s.blkno::int AS block, s.type, s.live_items AS items, s.btpo_next = 0 AS last
       FROM generate_series(1, pg_relation_size($1::text::regclass) / current_setting('block_size')::int8 - 1) AS b,
            LATERAL bt_page_stats($1::text, b) AS s
      ORDER BY s.blkno`,
    [`${table}_pkey`],
  );
  return rows.map(({ block, type, items, last }) => ({
    ...{ block, leaf: type === 'l', ids: last ? items : items - 1 },
  }));
}

/** Pages that reads of these blocks of the table go through: the leaves of their rows' ids, and all above the leaves. */
export function touchedPages(pages: readonly IndexPage[], tableBlocks: readonly number[]): Set<number> {
  const touched = new Set<number>(tableBlocks.length === 0 ? [] : [0]);
  const leaves = pages.filter(({ leaf }) => leaf);
  if (tableBlocks.length > 0) for (const { block, leaf } of pages) if (!leaf) touched.add(block);
  let [at, lastId] = [0, leaves[0]?.ids ?? 0];
  for (const tableBlock of tableBlocks) {
    const [from, to] = [tableBlock * rowsPerBlock + 1, (tableBlock + 1) * rowsPerBlock];
    while (lastId < from && at < leaves.length - 1) lastId += leaves[++at]?.ids ?? 0;
    const first = leaves[at];
    if (first !== undefined) touched.add(first.block);
    for (let [next, end] = [at + 1, lastId]; end < to && next < leaves.length; next++) {
      touched.add(leaves[next]?.block ?? 0);
      end += leaves[next]?.ids ?? 0;
    }
  }
  return touched;
}
