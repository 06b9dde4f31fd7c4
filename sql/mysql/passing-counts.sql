-- Purpose: cumulative volume of prepared statements by session, of sessions that keep none (MariaDB).
-- Parameters: none.
-- Privilege: SELECT on performance_schema.*.
-- Cost: MariaDB walks the counters of all threads: 2 ms with few sessions, 17 ms with 150. Run once a collect. At most 5,000
-- sessions.
SELECT c.THREAD_ID + 0e0 AS threadId,
       c.COUNT_STAR + 0e0 AS calls,
       GREATEST(c.SUM_ROWS_EXAMINED + c.SUM_ROWS_AFFECTED, c.COUNT_STAR) + 0e0 AS accesses
FROM performance_schema.events_statements_summary_by_thread_by_event_name c
WHERE c.EVENT_NAME = 'statement/com/Execute'
  AND c.COUNT_STAR > 0
  AND c.THREAD_ID NOT IN (
    SELECT s.OWNER_THREAD_ID FROM performance_schema.prepared_statements_instances s WHERE s.COUNT_EXECUTE > 1
  )
LIMIT 5000;
