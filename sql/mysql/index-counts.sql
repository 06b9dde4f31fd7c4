-- Purpose: cumulative row accesses of every index of the databases; those without an index belong to the
-- clustered one.
-- Parameters: 1 list of databases.
-- Privilege: SELECT on performance_schema.*.
-- Cost: walks the indexes that are open. Run once a collect. At most 50,000 rows.
SELECT i.OBJECT_SCHEMA AS `database`,
       i.OBJECT_NAME AS `table`,
       COALESCE(i.INDEX_NAME, 'PRIMARY') AS `index`,
       SUM(i.COUNT_STAR) + 0e0 AS accesses
FROM performance_schema.table_io_waits_summary_by_index_usage i
WHERE i.OBJECT_TYPE = 'TABLE'
  AND i.OBJECT_SCHEMA IN (?)
  AND i.COUNT_STAR > 0
GROUP BY i.OBJECT_SCHEMA, i.OBJECT_NAME, COALESCE(i.INDEX_NAME, 'PRIMARY')
LIMIT 50000;
