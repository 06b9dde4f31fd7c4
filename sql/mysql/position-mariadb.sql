-- Purpose:    which transactions this server's sessions can see, by GTID: applied ones and its own.
-- Parameters: none.
-- Privilege:  none; run as the application's own user.
-- Cost:       none to speak of. Run a few times in each switch of a pool.
SELECT @@GLOBAL.gtid_slave_pos AS applied, @@GLOBAL.gtid_current_pos AS current, @@GLOBAL.read_only AS readOnly
