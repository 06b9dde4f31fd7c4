-- Purpose: templates of prepared statements that were not seen before.
-- Parameters: 1 list of hashes of their texts (at most a few hundred).
-- Privilege: SELECT on performance_schema.*.
-- Cost: walks the prepared statements of all sessions; run only when there is a new one, at most once a collect.
SELECT SHA2(p.SQL_TEXT, 256) AS queryId, MIN(p.SQL_TEXT) AS `text`
FROM performance_schema.prepared_statements_instances p
WHERE SHA2(p.SQL_TEXT, 256) IN (?)
GROUP BY SHA2(p.SQL_TEXT, 256)
LIMIT 1000;
