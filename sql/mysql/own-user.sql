-- Purpose: the name under which this agent's sessions are shown.
-- Parameters: none.
-- Privilege: none.
-- Cost: none. Run once.
SELECT SUBSTRING_INDEX(USER(), '@', 1) AS user;
