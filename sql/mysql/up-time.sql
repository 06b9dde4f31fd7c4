-- Purpose: how long the server runs, in seconds: what was read before that is not in its pool.
-- Parameters: none.
-- Privilege: none.
-- Cost: about 1 ms. Run once a round.
SHOW GLOBAL STATUS LIKE 'Uptime';
