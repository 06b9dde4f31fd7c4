-- Purpose: cumulative volume of every statement, without its text.
-- Parameters: 1 double, seconds: only those that ran within so long ago; the first call asks for all.
-- Privilege: SELECT on performance_schema.*.
-- Cost: walks the digests (10,000 at most by default). Run once a collect. At most 20,000 rows.
SELECT COALESCE(s.SCHEMA_NAME, '') AS `database`,
       s.DIGEST AS queryId,
       s.COUNT_STAR + 0e0 AS calls,
       GREATEST(s.SUM_ROWS_EXAMINED + s.SUM_ROWS_AFFECTED, s.COUNT_STAR) + 0e0 AS accesses
FROM performance_schema.events_statements_summary_by_digest s
WHERE s.DIGEST IS NOT NULL
  AND s.LAST_SEEN >= NOW(6) - INTERVAL ? SECOND
LIMIT 20000;
