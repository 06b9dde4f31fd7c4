import type { PostgresServer } from '../postgres-server.ts';
import { type HeatScale, type PoolMap, relationMap } from './pool-map.ts';

export const postgresHeat: HeatScale = {
  names: ['heat 1', 'heat 2', 'heat 3', 'heat 4', 'heat 5'],
  ranks: 'heat 1 to 5',
  explained:
    "The darker, the more often the server has used those blocks (PostgreSQL's usage count). Forewarm reads app1's blocks, and those only, into the target's pool, and gives them the heat that they have at the source.",
};

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
export async function mapPostgresPool(server: PostgresServer, tables: readonly string[]): Promise<PoolMap> {
  const rows = await server.query<Row & Record<string, unknown>>(statement, [[...tables]]);
  return rows.map(({ name, kind, size, blocks, heats }) =>
    relationMap({ name, kind, sizeBlocks: Number(size) }, { blocks, heats, maxHeat: 5 }),
  );
}
