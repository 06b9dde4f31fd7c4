-- Purpose: cached pages with values that lie outside of the rows, and cached pages of the rows with the sum of
-- what part of a page an entry takes in each, which the pages above the rows hardly change, by table
-- (MariaDB). The server says of such a page only in which file it is.
-- Parameters: pattern of the tables' file names, such as `shop/%`.
-- Privilege: PROCESS.
-- Cost: one pass over the pool's descriptors, 0.1 to 0.2 s for 512 MB, in proportion for more; bounded by the statement's time-out.
-- Run once a round, only where a table of the work set has such values.
SELECT s.NAME AS tableName,
       b.INDEX_NAME AS indexName,
       COUNT(*) AS pages,
       SUM(IF(b.NUMBER_RECORDS > 0, 1e0 / b.NUMBER_RECORDS, 0)) AS pagesByEntry
FROM information_schema.INNODB_BUFFER_PAGE b
JOIN information_schema.INNODB_SYS_TABLESPACES s ON s.SPACE = b.SPACE
WHERE (b.PAGE_TYPE = 'INDEX' OR b.PAGE_TYPE LIKE '%LOB%') AND s.NAME LIKE ?
GROUP BY s.NAME, b.INDEX_NAME;
