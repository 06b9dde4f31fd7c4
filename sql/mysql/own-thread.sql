-- Purpose: this session's thread.
-- Parameters: none.
-- Privilege: SELECT on performance_schema.*.
-- Cost: one pass over the threads at most. Run once a survey.
SELECT THREAD_ID + 0e0 AS threadId FROM performance_schema.threads WHERE PROCESSLIST_ID = CONNECTION_ID();
