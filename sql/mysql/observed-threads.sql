-- Purpose: who runs what now, where performance_schema is on and its history of statements is off. Prepared
-- statements are counted where they were prepared.
-- Parameters: none.
-- Privilege: SELECT on performance_schema.*.
-- Cost: reads the threads. At most 2,000 sessions that run a statement.
SELECT t.THREAD_ID + 0e0 AS threadId,
       COALESCE(t.PROCESSLIST_DB, '') AS `database`,
       LEFT(t.PROCESSLIST_INFO, 100000) AS `text`
FROM performance_schema.threads t
WHERE t.TYPE = 'FOREGROUND'
  AND t.PROCESSLIST_ID <> CONNECTION_ID()
  AND t.PROCESSLIST_COMMAND = 'Query'
  AND t.PROCESSLIST_INFO IS NOT NULL
LIMIT 2000;
