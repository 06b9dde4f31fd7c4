-- Purpose:    who this server is: version, cluster, pool, role in replication, and which databases exist.
-- Parameters: $1 text[] names of the configured databases.
-- Privilege:  none beyond CONNECT.
-- Cost:       small; catalogs, settings and pg_control.
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS version_num,
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system_id,
       (SELECT setting::float8 FROM pg_catalog.pg_settings WHERE name = 'shared_buffers') AS pool_blocks,
       current_setting('block_size')::int AS block_bytes,
       -- How many adjacent blocks one system call reads: settable up to this (17: no server limit; before: one).
       (SELECT min(CASE name WHEN 'io_combine_limit' THEN max_val ELSE setting END::int)
          FROM pg_catalog.pg_settings WHERE name IN ('io_combine_limit', 'io_max_combine_limit')) AS combine_blocks,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       ARRAY(SELECT d.datname::text FROM pg_catalog.pg_database d WHERE d.datname = ANY ($1::text[]::name[])) AS databases;
