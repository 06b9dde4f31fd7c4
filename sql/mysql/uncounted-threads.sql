-- Purpose: sessions' threads whose statistics are stopped.
-- Parameters: none.
-- Privilege: SELECT on performance_schema.*.
-- Cost: one pass over the threads. At most 5,000 rows. Run before each count of one VM alone.
SELECT t.THREAD_ID + 0e0 AS threadId FROM performance_schema.threads t WHERE t.INSTRUMENTED = 'NO' AND t.TYPE = 'FOREGROUND' LIMIT 5000;
