-- Purpose:    a setting that the application wants in every session of its pool.
-- Parameters: $1 text name, $2 text value.
-- Privilege:  that of the setting.
-- Cost:       none to speak of. Run once a connection and setting.
SELECT pg_catalog.set_config($1, $2, false)
