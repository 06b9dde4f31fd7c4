-- Purpose: for a time, new pages enter the pool as those that were just used, so that the next ones do not throw them out.
-- Parameters: milliseconds, at most 5,000; 0 changes nothing and tells that it may be called.
-- Privilege: EXECUTE on forewarm.admit_new_pages, a procedure of setup.sql that runs with its definer's rights.
-- Cost: none; the call sleeps for that time on a connection of its own and then restores the setting, also when its client is
-- gone. Called again and again while pages are read into a full pool.
CALL forewarm.admit_new_pages(?);
