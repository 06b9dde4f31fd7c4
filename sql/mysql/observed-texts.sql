-- Purpose: texts of statements that were not seen before, as they were sent. They hold literals: they are
-- for the planner's ears only.
-- Parameters: 1 list of (thread id, event id).
-- Privilege: SELECT on performance_schema.*.
-- Cost: one pass over the history; run only when a new statement shows.
SELECT COALESCE(h.DIGEST, SHA2(h.SQL_TEXT, 256)) AS queryId,
       COALESCE(h.CURRENT_SCHEMA, '') AS `database`,
       h.SQL_TEXT AS `text`,
       (LENGTH(h.SQL_TEXT) >= @@performance_schema_max_sql_text_length) + 0e0 AS cut
FROM performance_schema.events_statements_history h
WHERE (h.THREAD_ID, h.EVENT_ID) IN (?)
  AND h.SQL_TEXT IS NOT NULL
LIMIT 200;
