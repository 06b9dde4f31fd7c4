-- Purpose: the columns of a database's tables that take a date.
-- Parameters: 1 the database.
-- Privilege: SELECT on its tables.
-- Cost: MariaDB opens every table of the database for it; run when a statement names a table that is not known.
-- At most 50,000 rows.
SELECT c.TABLE_NAME AS `table`, c.COLUMN_NAME AS `column`
FROM information_schema.COLUMNS c
WHERE c.TABLE_SCHEMA = ?
  AND c.DATA_TYPE IN ('date', 'datetime', 'timestamp')
LIMIT 50000;
