-- Purpose: how much of the buffer pool the server keeps free by itself, for what it reads next.
-- Parameters: none.
-- Privilege: PROCESS.
-- Cost: counters of each pool instance, no walk, under 1 ms. Run by the doctor.
SELECT COUNT(*) AS instances,
       SUM(POOL_SIZE) AS poolPages,
       @@GLOBAL.innodb_lru_scan_depth AS scanDepth
FROM information_schema.INNODB_BUFFER_POOL_STATS;
