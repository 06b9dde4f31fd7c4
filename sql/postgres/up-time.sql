-- Purpose:    how long the server runs: what was read before that is not in its pool.
-- Parameters: none.
-- Privilege:  none.
-- Cost:       under 0.1 ms and a round trip. Run once a round.
SELECT (extract(epoch FROM clock_timestamp() - pg_catalog.pg_postmaster_start_time()) * 1000)::float8 AS "upMs";
