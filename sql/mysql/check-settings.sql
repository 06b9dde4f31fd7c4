-- Purpose: settings that decide what Forewarm can do here, and the server's clock.
-- Parameters: none.
-- Privilege: none.
-- Cost: variables alone. Run by the doctor.
SELECT @@GLOBAL.performance_schema AS performanceSchema,
       @@GLOBAL.innodb_old_blocks_time AS oldBlocksTimeMs,
       UNIX_TIMESTAMP(NOW(3)) * 1000 AS serverMs;
