-- Purpose: of each source's stream of changes, whether all that came in is applied, and the age of what is being applied or waits
-- (MySQL). Its replica status counts in seconds and knows one applier alone.
-- Parameters: none.
-- Privilege: SELECT on performance_schema.*.
-- Cost: one row a source and one an applier, under 1 ms. Run about twice a second while warming.
SELECT c.CHANNEL_NAME AS channel,
       IF(c.RECEIVED_TRANSACTION_SET = '', NULL, GTID_SUBSET(c.RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed)) AS applied,
       COALESCE(
         (SELECT MAX(TIMESTAMPDIFF(MICROSECOND, w.APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, NOW(6)))
          FROM performance_schema.replication_applier_status_by_worker w
          WHERE w.CHANNEL_NAME = c.CHANNEL_NAME AND w.APPLYING_TRANSACTION <> ''),
         TIMESTAMPDIFF(MICROSECOND, c.LAST_QUEUED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, NOW(6))
       ) / 1e3 AS ageMs
FROM performance_schema.replication_connection_status c;
