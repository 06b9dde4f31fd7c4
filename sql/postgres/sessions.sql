-- Purpose: who runs what now, with the relations that each transaction holds locked.
-- Parameters: $1 bigint[], query ids whose unchanged text is wanted as an example.
-- Privilege: pg_monitor (pg_read_all_stats) for other roles' statements.
-- Cost: 3.5 ms (round trip included) with 90 sessions that each hold locks; reads the lock table once, so it
-- grows with the locks held. At most 2,000 sessions, and 500 relations a session.
SELECT a.pid,
       a.usename AS "user",
       a.datname AS "database",
       a.application_name AS "applicationName",
       pg_catalog.host(a.client_addr) AS "address",
       a.state,
       pg_catalog.date_part('epoch', a.query_start) AS "queryStart",
       a.query_id::text AS "queryId",
       CASE WHEN a.query_id = ANY ($1::bigint[])
              OR pg_catalog.left(a.query, 60) ~* '^\s*(set\s.*search_path|execute\s|fetch\s)'
            THEN a.query END AS "text",
       l.relations
FROM pg_catalog.pg_stat_activity a
LEFT JOIN (
  SELECT k.pid, (pg_catalog.array_agg(DISTINCT k.relation::text))[1:500] AS relations
  FROM pg_catalog.pg_locks k
  WHERE k.locktype = 'relation' AND k.granted AND k.relation >= 16384 AND k.database <> 0
  GROUP BY k.pid
) l ON l.pid = a.pid
WHERE a.backend_type = 'client backend'
  AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.datname IS NOT NULL
  AND a.usename IS NOT NULL
  AND a.application_name NOT LIKE 'forewarm:%'
LIMIT 2000;
