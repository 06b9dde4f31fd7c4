-- Purpose: cached pages of each index of some tables, by a walk of the pool, where neither counters nor files tell them,
-- or the counters leave many out.
-- Parameters: pattern of the tables' quoted names, such as "`shop`.%".
-- Privilege: PROCESS.
-- Cost: one pass over the pool's descriptors, 0.1 to 0.2 s for 512 MB, in proportion for more; bounded by the statement's
-- time-out. INNODB_BUFFER_PAGE_LRU would hold the pool's mutex meanwhile: never that one. Run once a round.
SELECT TABLE_NAME AS tableName, INDEX_NAME AS indexName, COUNT(*) AS pages
FROM information_schema.INNODB_BUFFER_PAGE
WHERE PAGE_TYPE = 'INDEX' AND TABLE_NAME LIKE ?
GROUP BY TABLE_NAME, INDEX_NAME;
