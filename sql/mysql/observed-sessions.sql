-- Purpose: who every session is.
-- Parameters: none.
-- Privilege: SELECT on performance_schema.*.
-- Cost: grows with the sessions; run at each collect, and when a session shows that is not known. At most
-- 5,000 sessions.
SELECT t.THREAD_ID + 0e0 AS threadId,
       t.PROCESSLIST_USER AS `user`,
       COALESCE(t.PROCESSLIST_DB, '') AS `database`,
       t.PROCESSLIST_HOST AS `host`,
       COALESCE(t.CONNECTION_TYPE, '') AS connectionType,
       COALESCE(a.ATTR_VALUE, '') AS applicationName
FROM performance_schema.threads t
LEFT JOIN performance_schema.session_connect_attrs a
  ON a.PROCESSLIST_ID = t.PROCESSLIST_ID AND a.ATTR_NAME = 'program_name'
WHERE t.TYPE = 'FOREGROUND'
  AND t.PROCESSLIST_ID IS NOT NULL
  AND t.PROCESSLIST_USER NOT IN ('system user', 'event_scheduler')
LIMIT 5000;
