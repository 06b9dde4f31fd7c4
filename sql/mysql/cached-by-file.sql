-- Purpose: cached pages of each index of one database, by a walk of the pool (MariaDB). To ask for the names of tables takes
-- 1.4 to 1.8 times as long: the file tells the table, but for file 0, which many tables may share.
-- Parameters: pattern of the tables' file names, such as `shop/%`.
-- Privilege: PROCESS.
-- Cost: one pass over the pool's descriptors, 0.09 to 0.16 s for 640 MB, in proportion for more; bounded by the statement's
-- time-out. INNODB_BUFFER_PAGE_LRU would hold the pool's mutex meanwhile: never that one. Run once a round.
SELECT t.NAME AS tableName, p.indexName, p.pages, t.SPACE AS file
FROM (SELECT SPACE AS file, INDEX_NAME AS indexName, COUNT(*) AS pages
      FROM information_schema.INNODB_BUFFER_PAGE
      WHERE PAGE_TYPE = 'INDEX'
      GROUP BY SPACE, INDEX_NAME) p
JOIN information_schema.INNODB_SYS_TABLES t ON t.SPACE = p.file
WHERE t.NAME LIKE ?;
