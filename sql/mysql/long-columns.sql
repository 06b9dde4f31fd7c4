-- Purpose: columns of some tables of one database whose values may lie outside of the rows, in pages of their own.
-- Parameters: database; names of its tables (at most a few hundred).
-- Privilege: SELECT on the application's tables; others are not shown.
-- Cost: the dictionary alone. Run with indexes.sql.
SELECT TABLE_NAME AS tableName, COLUMN_NAME AS columnName
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?)
  AND EXTRA NOT LIKE '%VIRTUAL%'
  AND (DATA_TYPE IN ('tinyblob', 'blob', 'mediumblob', 'longblob', 'tinytext', 'text', 'mediumtext', 'longtext', 'json', 'vector',
                     'geometry', 'point', 'linestring', 'polygon', 'multipoint', 'multilinestring', 'multipolygon', 'geometrycollection')
       OR (DATA_TYPE IN ('varchar', 'varbinary') AND CHARACTER_OCTET_LENGTH > 8000))
ORDER BY TABLE_NAME, ORDINAL_POSITION
LIMIT 20000;
