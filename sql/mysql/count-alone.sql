-- Purpose: what some sessions alone touch, by index: two readings of the counts with a pause between.
-- Parameters: the sessions' threads with commas between; milliseconds, at most 5,000; 0 changes nothing and tells that it may
-- be called.
-- Privilege: EXECUTE on forewarm.count_alone, a procedure of setup.sql that runs with its definer's rights.
-- Cost: the statistics of all other threads in performance_schema stop meanwhile, and go on with its end, also when its client
-- is gone. Run only where observe.exact asks for it. At most 50,000 rows a reading.
CALL forewarm.count_alone(?, ?);
