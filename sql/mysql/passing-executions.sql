-- Purpose: which prepared statements run now in sessions that keep none: those are prepared for each execution and closed at once
-- (MariaDB, whose history and counts have no text of them).
-- Parameters: none.
-- Privilege: PROCESS; SELECT on performance_schema.*.
-- Cost: reads the process list, and the prepared statements of those that execute one at this moment: under 1 ms for tens of
-- sessions. Up to eight times a look where such statements were counted. At most 2,000 sessions.
SELECT t.THREAD_ID + 0e0 AS threadId,
       COALESCE(p.DB, '') AS `database`,
       LEFT(p.INFO, 100000) AS `text`
FROM information_schema.PROCESSLIST p
JOIN performance_schema.threads t ON t.PROCESSLIST_ID = p.ID
WHERE p.COMMAND = 'Execute'
  AND p.INFO IS NOT NULL
  AND NOT EXISTS (
    SELECT 1 FROM performance_schema.prepared_statements_instances s
    WHERE s.OWNER_THREAD_ID = t.THREAD_ID AND s.COUNT_EXECUTE > 1
  )
LIMIT 2000;
