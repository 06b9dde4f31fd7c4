-- Purpose: cached pages with values that lie outside of the rows, and cached pages of indexes by how many entries they have, by
-- table (MySQL). The server says of the former only in which file they are.
-- Parameters: pattern of the tables' file names, such as `shop/%`.
-- Privilege: PROCESS.
-- Cost: one pass over the pool's descriptors, 0.1 to 0.2 s for 512 MB, in proportion for more; bounded by the statement's time-out.
-- Run once a round, only where a table of the work set has such values.
SELECT s.NAME AS tableName,
       b.INDEX_NAME AS indexName,
       IF(b.INDEX_NAME IS NULL, 0, b.NUMBER_RECORDS) AS entries,
       COUNT(*) AS pages
FROM information_schema.INNODB_BUFFER_PAGE b
JOIN information_schema.INNODB_TABLESPACES s ON s.SPACE = b.SPACE
WHERE (b.PAGE_TYPE = 'INDEX' OR b.PAGE_TYPE LIKE '%LOB%') AND s.NAME LIKE ?
GROUP BY s.NAME, b.INDEX_NAME, IF(b.INDEX_NAME IS NULL, 0, b.NUMBER_RECORDS)
LIMIT 100000;
