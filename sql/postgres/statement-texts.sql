-- Purpose: normalized texts of the statements that were not seen before, and those that set a search path.
-- Parameters: $1 bigint[], query ids (at most a few hundred).
-- Privilege: pg_monitor (pg_read_all_stats).
-- Cost: the server reads its whole file of texts, 1.4 ms for few entries, not measured on a full one; run only when there is a new
-- statement, at most once a collect.
SELECT s.queryid::text AS "queryId",
       pg_catalog.pg_get_userbyid(s.userid) AS "user",
       d.datname AS "database",
       pg_catalog.left(s.query, 100000) AS "text"
FROM @extschema:pg_stat_statements@.pg_stat_statements(true) s
JOIN pg_catalog.pg_database d ON d.oid = s.dbid
WHERE s.queryid = ANY ($1::bigint[])
   OR pg_catalog.left(s.query, 60) ~* '^\s*(set\s.*search_path|prepare\s|declare\s)';
