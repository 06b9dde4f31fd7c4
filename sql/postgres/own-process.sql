-- Purpose:    a process of this server, by which the agent beside it finds the memory that the server may use.
-- Parameters: none.
-- Privilege:  none.
-- Cost:       negligible; once for each look at the pool.
SELECT pg_catalog.pg_backend_pid() AS pid;
