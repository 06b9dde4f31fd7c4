-- Purpose: the buffer pool in pages: all, free, in use, and of those the old sublist's.
-- Parameters: none.
-- Privilege: PROCESS.
-- Cost: counters of each pool instance, no walk, under 1 ms. Run once a round.
SELECT SUM(POOL_SIZE) AS poolPages,
       SUM(FREE_BUFFERS) AS freePages,
       SUM(DATABASE_PAGES) AS usedPages,
       SUM(OLD_DATABASE_PAGES) AS oldPages
FROM information_schema.INNODB_BUFFER_POOL_STATS;
