-- Purpose: whether statements of sessions may be seen.
-- Parameters: none.
-- Privilege: SELECT on performance_schema.
-- Cost: one row. Run by the doctor.
SELECT COUNT(*) AS n FROM (SELECT 1 FROM performance_schema.events_statements_history LIMIT 1) one;
