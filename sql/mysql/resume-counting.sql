-- Purpose: statistics of all threads go on, where a call of count_alone was killed.
-- Parameters: threads whose statistics were stopped before it, with commas between.
-- Privilege: EXECUTE on forewarm.resume_counting, a procedure of setup.sql that runs with its definer's rights.
-- Cost: one pass over the threads; waits for at most 2 s for a call that is under way. Run when one has failed, and once at an
-- agent's start where observe.exact is on.
CALL forewarm.resume_counting(?);
