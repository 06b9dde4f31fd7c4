-- Purpose:    the settings that the doctor judges.
-- Parameters: none.
-- Privilege:  pg_monitor, for settings and the WAL receiver; without it those are NULL.
-- Cost:       small; settings and one look at the sessions.
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS version_num,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS server_ms,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'shared_preload_libraries') AS preload,
       current_setting('compute_query_id') AS compute_query_id,
       (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'track_activity_query_size') AS query_size,
       current_setting('track_io_timing') AS io_timing,
       current_setting('track_counts') AS counts_on,
       current_setting('pg_stat_statements.max', true)::int AS statements_max,
       (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'io_max_combine_limit') AS max_combine,
       EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver w WHERE w.pid IS NOT NULL) AS receives,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END AS paused,
       current_setting('max_connections')::int - (SELECT count(*)::int FROM pg_catalog.pg_stat_activity a
                                                   WHERE a.backend_type = 'client backend') AS free_connections;
