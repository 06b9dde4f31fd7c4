-- Purpose:    up to where this server's sessions can see writes: what a standby has replayed, what a primary has written.
-- Parameters: none.
-- Privilege:  none beyond CONNECT; run as the application's own role.
-- Cost:       none to speak of. Run a few times in each switch of a pool.
SELECT pg_catalog.pg_is_in_recovery() AS in_recovery,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_insert_lsn() END::text AS lsn,
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system_id,
       current_setting('wal_block_size')::int AS wal_block_bytes
