-- Purpose: sizes of some tables of one database, by partition where there are any.
-- Parameters: database; names of its tables (at most a few hundred).
-- Privilege: SELECT on the application's tables; others are not shown.
-- Cost: the dictionary and the tables' own statistics, 1 to 10 ms for tens of tables. Run with indexes.sql.
SELECT t.TABLE_NAME AS tableName,
       t.ENGINE AS engine,
       (t.TABLE_TYPE = 'SYSTEM VERSIONED') + 0e0 AS versioned,
       p.PARTITION_NAME AS partitionName,
       p.SUBPARTITION_NAME AS subpartitionName,
       (COALESCE(p.SUBPARTITION_METHOD, p.PARTITION_METHOD, '') REGEXP 'HASH|KEY') + 0e0 AS hashed,
       p.TABLE_ROWS AS rowCount,
       p.DATA_LENGTH AS dataBytes,
       p.INDEX_LENGTH AS indexBytes
FROM information_schema.TABLES t
JOIN information_schema.PARTITIONS p ON p.TABLE_SCHEMA = t.TABLE_SCHEMA AND p.TABLE_NAME = t.TABLE_NAME
WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME IN (?) AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED');
