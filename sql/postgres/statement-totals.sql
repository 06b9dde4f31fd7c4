-- Purpose:    cumulative time, calls and reads of everybody else's statements.
-- Parameters: none.
-- Privilege:  pg_monitor (others' statements).
-- Cost:       0.2 ms for 60 statements (5,000 are the default limit); linear, under the view's shared lock, without texts.
SELECT COALESCE(sum(s.total_exec_time), 0)::float8 AS ms, COALESCE(sum(s.calls), 0)::float8 AS calls,
       COALESCE(sum(s.shared_blks_read), 0)::float8 AS reads
  FROM @extschema:pg_stat_statements@.pg_stat_statements(false) s
 WHERE s.userid <> (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user);
