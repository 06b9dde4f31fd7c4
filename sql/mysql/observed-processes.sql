-- Purpose: who runs what now, where the server keeps no history of statements.
-- Parameters: none.
-- Privilege: PROCESS.
-- Cost: reads the process list. At most 2,000 sessions.
SELECT p.ID + 0e0 AS id,
       p.USER AS `user`,
       p.HOST AS `host`,
       COALESCE(p.DB, '') AS `database`,
       LEFT(p.INFO, 100000) AS `text`
FROM information_schema.PROCESSLIST p
WHERE p.ID <> CONNECTION_ID()
  AND p.USER NOT IN ('system user', 'event_scheduler')
  AND p.COMMAND <> 'Daemon'
LIMIT 2000;
