-- Purpose:    as pool-walk, and the count of all other buffers by usage count in the same walk, for servers
--             without pg_buffercache_usage_counts() (before PostgreSQL 16). A row with i NULL is such a count:
--             `piece` is the usage count, -1 for free buffers.
-- Parameters: $1 int4[] numbers given back as i, $2 oid[] tablespaces, $3 oid[] databases, $4 oid[] filenodes.
-- Privilege:  pg_monitor (pg_buffercache).
-- Cost:       as pool-walk and 2 ms more for 65,536 buffers (29 against 27), since every buffer is grouped.
SELECT w.i, CASE WHEN w.i IS NOT NULL THEN p.relforknumber END AS fork,
       CASE WHEN w.i IS NOT NULL THEN (p.relblocknumber >> 13)::int4 ELSE COALESCE(p.usagecount, -1) END AS piece,
       pg_catalog.string_agg(CASE WHEN w.i IS NOT NULL
                       THEN int2send((((p.relblocknumber & 8191) << 3) + p.usagecount - 32768)::int2) END, '') AS heats,
       count(*)::float8 AS buffers
  FROM @extschema:pg_buffercache@.pg_buffercache p
  LEFT JOIN unnest($1::int4[], $2::oid[], $3::oid[], $4::oid[]) AS w (i, tablespace, database, filenode)
    ON w.filenode = p.relfilenode AND w.database = p.reldatabase AND w.tablespace = p.reltablespace
 GROUP BY 1, 2, 3;
