-- Purpose: cumulative block accesses of every statement, without its text.
-- Parameters: none.
-- Privilege: pg_monitor (pg_read_all_stats); without it the ids of other roles' statements are null.
-- Cost: one pass over pg_stat_statements' shared memory, 1 ms for few entries, not measured on a full view; the file with the
-- texts is not read. Run once a collect.
SELECT s.userid::text AS "userId",
       pg_catalog.pg_get_userbyid(s.userid) AS "user",
       d.datname AS "database",
       s.queryid::text AS "queryId",
       s.toplevel AS "topLevel",
       s.calls::float8 AS "calls",
       s.shared_blks_hit::float8 AS "hit",
       s.shared_blks_read::float8 AS "read"
FROM @extschema:pg_stat_statements@.pg_stat_statements(false) s
JOIN pg_catalog.pg_database d ON d.oid = s.dbid
WHERE s.queryid IS NOT NULL
  AND s.shared_blks_hit + s.shared_blks_read > 0;
