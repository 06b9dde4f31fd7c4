-- Purpose: cumulative volume of every prepared statement by the session that holds it, without its text.
-- Parameters: none.
-- Privilege: SELECT on performance_schema.*.
-- Cost: walks the prepared statements of all sessions and hashes their texts. Run once a collect. At most
-- 20,000 rows.
SELECT p.OBJECT_INSTANCE_BEGIN + 0e0 AS instance,
       p.OWNER_THREAD_ID + 0e0 AS threadId,
       SHA2(p.SQL_TEXT, 256) AS queryId,
       p.COUNT_EXECUTE + 0e0 AS calls,
       GREATEST(p.SUM_ROWS_EXAMINED + p.SUM_ROWS_AFFECTED, p.COUNT_EXECUTE) + 0e0 AS accesses
FROM performance_schema.prepared_statements_instances p
WHERE p.COUNT_EXECUTE > 0
LIMIT 20000;
