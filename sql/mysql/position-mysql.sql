-- Purpose:    which transactions this server's sessions can see, by GTID.
-- Parameters: none.
-- Privilege:  none; run as the application's own user.
-- Cost:       none to speak of. Run a few times in each switch of a pool.
SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.server_uuid AS serverId, @@GLOBAL.read_only AS readOnly
