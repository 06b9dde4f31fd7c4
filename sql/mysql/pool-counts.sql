-- Purpose: the buffer pool in pages: all, free for the taking, in use, and of those the old sublist's. The server keeps
-- up to innodb_lru_scan_depth of each instance's pages free: whoever takes one of these throws out an old page for it,
-- then young ones.
-- Parameters: none.
-- Privilege: PROCESS.
-- Cost: counters of each pool instance, no walk, under 1 ms. Run once a round.
SELECT SUM(POOL_SIZE) AS poolPages,
       SUM(FREE_BUFFERS - LEAST(FREE_BUFFERS, @@GLOBAL.innodb_lru_scan_depth)) AS freePages,
       SUM(DATABASE_PAGES) AS usedPages,
       SUM(OLD_DATABASE_PAGES) AS oldPages
FROM information_schema.INNODB_BUFFER_POOL_STATS;
