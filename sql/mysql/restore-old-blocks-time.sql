-- Purpose: new pages enter the pool as they did before, where a call of admit_new_pages was killed.
-- Parameters: the usual innodb_old_blocks_time in milliseconds, as it was before the call.
-- Privilege: EXECUTE on forewarm.restore_old_blocks_time, a procedure of setup.sql that runs with its definer's rights.
-- Cost: none; waits for at most 2 s for a call that is under way. Run when one has failed.
CALL forewarm.restore_old_blocks_time(?);
