-- Purpose: what the views of a database are made of.
-- Parameters: 1 the database.
-- Privilege: SHOW VIEW on it; without it the definitions are empty.
-- Cost: reads the catalog; run when a statement names a table that is not known. At most 10,000 rows.
SELECT v.TABLE_NAME AS `name`, v.VIEW_DEFINITION AS definition
FROM information_schema.VIEWS v
WHERE v.TABLE_SCHEMA = ?
LIMIT 10000;
