-- Purpose: normalized texts of statements that were not seen before.
-- Parameters: 1 list of digests (at most a few hundred).
-- Privilege: SELECT on performance_schema.*.
-- Cost: walks the digests; run only when there is a new statement, at most once a collect.
SELECT COALESCE(s.SCHEMA_NAME, '') AS `database`,
       s.DIGEST AS queryId,
       s.DIGEST_TEXT AS `text`
FROM performance_schema.events_statements_summary_by_digest s
WHERE s.DIGEST IN (?)
LIMIT 1000;
