-- Purpose: the server's product and version.
-- Parameters: none.
-- Privilege: none.
-- Cost: none to speak of. Run once a connection of the agent to the server.
SELECT VERSION() AS version;
