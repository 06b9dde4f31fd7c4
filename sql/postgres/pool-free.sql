-- Purpose:    how many buffers are free.
-- Parameters: none.
-- Privilege:  pg_monitor (pg_buffercache 1.4, PostgreSQL 16).
-- Cost:       0.3 ms for 65,536 buffers; linear, takes no locks.
SELECT s.buffers_unused::float8 AS free FROM @extschema:pg_buffercache@.pg_buffercache_summary() s;
