-- Purpose: which of the configured databases are here and may be read.
-- Parameters: their names.
-- Privilege: any on the database; others are not shown.
-- Cost: the dictionary alone. Run at the start and after a reconnect.
SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN (?);
