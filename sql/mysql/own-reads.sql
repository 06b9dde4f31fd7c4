-- Purpose: how often this session went to the data files so far; between two readings it tells whether a page was in the pool.
-- Parameters: 1 double, the session's thread.
-- Privilege: SELECT on performance_schema.*.
-- Cost: 0.3 ms on MySQL; MariaDB walks the counters of all threads: 2 ms with few sessions, 17 ms with 150. Run after each
-- question of a survey, which is bounded in time.
SELECT COUNT_STAR + 0e0 AS readCount
FROM performance_schema.events_waits_summary_by_thread_by_event_name
WHERE THREAD_ID = ? AND EVENT_NAME = 'wait/io/file/innodb/innodb_data_file';
