-- Purpose: statements that others run now, their total time and number so far, and pages that anybody had to wait for,
-- this agent included. Who waits for the disk is not told.
-- Parameters: this agent's own user.
-- Privilege: PROCESS, and SELECT on performance_schema; without it nothing is known of residents but their number.
-- Cost: one pass over the threads and over one summary row an account, 1 to 3 ms. Run about twice a second while warming.
SELECT
  (SELECT COUNT(*) FROM performance_schema.threads
   WHERE TYPE = 'FOREGROUND' AND PROCESSLIST_COMMAND IN ('Query', 'Execute') AND PROCESSLIST_USER <> ?) AS active,
  (SELECT COALESCE(SUM(SUM_TIMER_WAIT), 0) / 1e9 FROM performance_schema.events_statements_summary_by_user_by_event_name
   WHERE USER IS NOT NULL AND USER <> ?) AS totalMs,
  (SELECT COALESCE(SUM(COUNT_STAR), 0) FROM performance_schema.events_statements_summary_by_user_by_event_name
   WHERE USER IS NOT NULL AND USER <> ?) AS calls,
  (SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'buffer_pool_reads') AS missed;
