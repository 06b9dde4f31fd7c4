-- Purpose: whether the server keeps a history of statements.
-- Parameters: none.
-- Privilege: SELECT on performance_schema.*.
-- Cost: none to speak of. Run once a collect.
SELECT c.NAME AS `name`
FROM performance_schema.setup_consumers c
WHERE c.ENABLED = 'YES'
LIMIT 100;
