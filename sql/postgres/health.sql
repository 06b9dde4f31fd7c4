-- Purpose:    replay and the sessions of others, for throttling and for ready.
-- Parameters: none.
-- Privilege:  pg_monitor (others' sessions, the WAL receiver).
-- Cost:       0.7 ms with the round trip; walks the sessions once.
SELECT r.in_recovery,
       r.in_recovery AND pg_catalog.pg_last_wal_receive_lsn() IS DISTINCT FROM pg_catalog.pg_last_wal_replay_lsn()
         AND COALESCE(pg_catalog.pg_last_wal_receive_lsn() > pg_catalog.pg_last_wal_replay_lsn(), true) AS behind,
       (extract(epoch FROM clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()) * 1000)::float8 AS replay_age_ms,
       r.in_recovery AND pg_catalog.pg_is_wal_replay_paused() AS paused,
       EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver w WHERE w.pid IS NOT NULL) AS receives,
       current_setting('restore_command') <> '' AS restores,
       a.active, a.io_waiting
  FROM (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN true ELSE false END AS in_recovery) r,
       (SELECT count(*)::int AS active,
               count(*) FILTER (WHERE s.wait_event_type = 'IO' OR s.wait_event ILIKE 'BufferIO')::int AS io_waiting
          FROM pg_catalog.pg_stat_activity s
         WHERE s.state = 'active' AND s.backend_type = 'client backend' AND s.pid <> pg_catalog.pg_backend_pid()
           AND s.application_name NOT LIKE 'forewarm:%') a;
