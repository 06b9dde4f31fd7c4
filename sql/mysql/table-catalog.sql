-- Purpose: the tables and views of a database.
-- Parameters: 1 the database.
-- Privilege: SELECT on its tables.
-- Cost: reads the catalog; run when a statement names a table that is not known. At most 50,000 rows.
SELECT t.TABLE_NAME AS `name`,
       t.TABLE_TYPE AS `type`,
       COALESCE(t.CREATE_OPTIONS, '') AS options
FROM information_schema.TABLES t
WHERE t.TABLE_SCHEMA = ?
LIMIT 50000;
