import { rowsPerBlock } from '../../lab/app-data.ts';
import type { PostgresServer } from '../../lab/postgres-server.ts';

/** A page of an index over ids 1 to n. */
export interface IndexPage {
  readonly block: number;
  readonly leaf: boolean;
  /** Entries of a leaf, a high key not counted. */
  readonly ids: number;
}

/** Every page of a table's primary key, which was built in one go, its leaves in order, by contrib's pageinspect. */
export async function postgresPagesOf(server: PostgresServer, table: string): Promise<readonly IndexPage[]> {
  const rows = await server.query<{ block: number; type: string; items: number; last: boolean }>(
    `SELECT s.blkno::int AS block, s.type, s.live_items AS items, s.btpo_next = 0 AS last
       FROM generate_series(1, pg_relation_size($1::text::regclass) / current_setting('block_size')::int8 - 1) AS b,
            LATERAL bt_page_stats($1::text, b) AS s
      ORDER BY s.blkno`,
    [`${table}_pkey`],
  );
  const meta: IndexPage = { block: 0, leaf: false, ids: 0 };
  const pages = rows.map(({ block, type, items, last }) => ({
    ...{ block, leaf: type === 'l', ids: last ? items : items - 1 },
  }));
  return [meta, ...pages];
}

/**
 * Pages that reads of rows go through: the leaves of their ids, and all above the leaves. `rowBlocks` are numbers of
 * stretches of `rowsPerBlock` rows, rising.
 */
export function touchedPages(pages: readonly IndexPage[], rowBlocks: readonly number[]): Set<number> {
  const leaves = pages.filter(({ leaf }) => leaf);
  const touched = new Set<number>();
  if (rowBlocks.length > 0) for (const { block, leaf } of pages) if (!leaf) touched.add(block);
  let [at, lastId] = [0, leaves[0]?.ids ?? 0];
  for (const rowBlock of rowBlocks) {
    const [from, to] = [rowBlock * rowsPerBlock + 1, (rowBlock + 1) * rowsPerBlock];
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
