-- Purpose:    ends a session of the application's own role whose connection was cut off.
-- Parameters: $1 int process id of the session.
-- Privilege:  none for sessions of the same role.
-- Cost:       none to speak of. Run for connections that outlast a switch's limit.
SELECT pg_catalog.pg_terminate_backend($1)
