-- Purpose: cumulative block accesses (hits and reads, all forks) of each relation of this database.
-- Parameters: none.
-- Privilege: none; statistics of relations are public.
-- Cost: one look into the statistics a relation, about 1 µs each; only those with accesses come back.
SELECT c.oid::text AS "oid", f.fetched::float8 AS "blocks"
FROM pg_catalog.pg_class c
CROSS JOIN LATERAL pg_catalog.pg_stat_get_blocks_fetched(c.oid) AS f (fetched)
WHERE c.relkind IN ('r', 'i', 't', 'm')
  AND c.relpersistence <> 't'
  AND f.fetched > 0;
