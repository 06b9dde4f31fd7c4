-- Purpose:    buffers of the whole pool by usage count.
-- Parameters: none.
-- Privilege:  pg_monitor (pg_buffercache 1.4, PostgreSQL 16).
-- Cost:       0.5 ms for 65,536 buffers; linear, takes no locks.
SELECT c.usage_count AS usage, c.buffers::float8 AS buffers
  FROM @extschema:pg_buffercache@.pg_buffercache_usage_counts() c
UNION ALL
SELECT -1, s.buffers_unused::float8
  FROM @extschema:pg_buffercache@.pg_buffercache_summary() s;
