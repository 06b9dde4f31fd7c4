-- Purpose: the indexes of a database's tables by column.
-- Parameters: 1 the database.
-- Privilege: SELECT on its tables.
-- Cost: MariaDB opens every table of the database for it; run when a statement names a table that is not known.
-- At most 100,000 rows.
SELECT s.TABLE_NAME AS `table`, s.INDEX_NAME AS `index`, s.COLUMN_NAME AS `column`,
       s.INDEX_TYPE AS indexType
FROM information_schema.STATISTICS s
WHERE s.TABLE_SCHEMA = ?
LIMIT 100000;
