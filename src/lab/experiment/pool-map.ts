import type { PostgresServer } from '../postgres-server.ts';

/** Buffers of one relation in one server's pool. */
export interface RelationMap {
  readonly name: string;
  readonly kind: 'table' | 'index';
  readonly sizeBlocks: number;
  readonly residentBlocks: number;
  /** Resident blocks by usage count, 0 to 5. */
  readonly blocksByHeat: readonly number[];
  /** The relation cut into equal parts in block order: the mean heat of each, 0 (not there) to 5. */
  readonly strip: readonly number[];
  /** Heat of each resident block. */
  readonly heats: ReadonlyMap<number, number>;
}

/** What a server's buffer pool holds of some tables and their indexes, by relation. */
export type PoolMap = readonly RelationMap[];

const stripParts = 240;

const statement = `
WITH wanted AS (
  SELECT c.oid, c.relname, c.relkind FROM pg_class c
   WHERE c.oid = ANY (SELECT to_regclass(quote_ident(t)) FROM unnest($1::text[]) AS t)
      OR c.oid IN (SELECT indexrelid FROM pg_index
                    WHERE indrelid = ANY (SELECT to_regclass(quote_ident(t)) FROM unnest($1::text[]) AS t))
)
SELECT w.relname AS name, CASE w.relkind WHEN 'i' THEN 'index' ELSE 'table' END AS kind,
       pg_relation_size(w.oid) / 8192 AS size,
       coalesce(b.blocks, '{}') AS blocks, coalesce(b.heats, '{}') AS heats
  FROM wanted w
  LEFT JOIN LATERAL (
    SELECT array_agg(relblocknumber::int4) AS blocks, array_agg(usagecount::int4) AS heats
      FROM pg_buffercache
     WHERE relfilenode = pg_relation_filenode(w.oid) AND relforknumber = 0
       AND reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  ) b ON true
 ORDER BY w.relname`;

interface Row {
  readonly name: string;
  readonly kind: 'table' | 'index';
  readonly size: string;
  readonly blocks: readonly number[];
  readonly heats: readonly number[];
}

/** Looks into a server's pool as its superuser; walks it once a relation. */
export async function mapPool(server: PostgresServer, tables: readonly string[]): Promise<PoolMap> {
  const rows = await server.query<Row & Record<string, unknown>>(statement, [[...tables]]);
  return rows.map(({ name, kind, size, blocks, heats }) => {
    const sizeBlocks = Number(size);
    const sums = new Array<number>(stripParts).fill(0);
    const blocksByHeat = new Array<number>(6).fill(0);
    blocks.forEach((block, i) => {
      const heat = heats[i] ?? 0;
      blocksByHeat[heat] = (blocksByHeat[heat] ?? 0) + 1;
      const part = Math.min(stripParts - 1, Math.floor((block * stripParts) / sizeBlocks));
      // A block that nobody used lately is there all the same.
      sums[part] = (sums[part] ?? 0) + Math.max(0.5, heat);
    });
    const partBlocks = Math.max(1, sizeBlocks / stripParts);
    const strip = sums.map((sum) => Math.round((100 * sum) / partBlocks) / 100);
    const known = new Map(blocks.map((block, i) => [block, heats[i] ?? 0]));
    return { name, kind, sizeBlocks, residentBlocks: blocks.length, blocksByHeat, strip, heats: known };
  });
}

/** The part of the source's blocks of each heat, 1 to 5, that the target holds; null where the source has none. */
export function heldByHeat(source: RelationMap, target: RelationMap): (number | null)[] {
  const all = new Array<number>(6).fill(0);
  const held = new Array<number>(6).fill(0);
  for (const [block, heat] of source.heats) {
    all[heat] = (all[heat] ?? 0) + 1;
    if (target.heats.has(block)) held[heat] = (held[heat] ?? 0) + 1;
  }
  return [1, 2, 3, 4, 5].map((heat) => (all[heat] ? (held[heat] ?? 0) / all[heat] : null));
}

/** Resident blocks of a table and its indexes. */
export function residentBlocksOf(map: PoolMap, table: string): number {
  return map
    .filter(({ name }) => belongsTo(name, table))
    .reduce((sum, relation) => sum + relation.residentBlocks, 0);
}

/** The lab's tables have a primary key of the default name and no other index. */
export function belongsTo(relation: string, table: string): boolean {
  return relation === table || relation === `${table}_pkey`;
}
