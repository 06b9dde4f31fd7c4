-- Purpose: sizes of the pool and of a page, the server's own id, and whether other sessions' statements are counted.
-- Parameters: none.
-- Privilege: none.
-- Cost: variables alone. Run at the start and after a reconnect.
SELECT @@GLOBAL.innodb_buffer_pool_size AS poolBytes,
       @@GLOBAL.innodb_page_size AS pageBytes,
       @@GLOBAL.innodb_old_blocks_time AS oldBlocksTimeMs,
       @@GLOBAL.performance_schema AS performanceSchema;
