-- Purpose:    whether a MySQL server has executed all of a set of GTIDs.
-- Parameters: the set.
-- Privilege:  none; run as the application's own user.
-- Cost:       none to speak of. Run every few milliseconds while a pool waits for a replica.
SELECT GTID_SUBSET(?, @@GLOBAL.gtid_executed) AS shown, @@GLOBAL.gtid_executed AS executed
