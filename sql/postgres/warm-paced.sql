-- Purpose:    as warm, but no faster than a pace: others that read from the same disk wait behind one span at most,
--             and part of the disk's time is theirs.
-- Parameters: $1 to $8 as those of warm, $9 float8 ms a block.
-- Privilege:  SELECT on the relation (for an index: on its table), EXECUTE on pg_prewarm and pg_sleep.
-- Cost:       what it reads; a resident block costs 0.2 us. It sleeps for no longer than a second at once.
WITH l AS MATERIALIZED (
  SELECT CASE WHEN pg_catalog.pg_relation_filenode($1::oid) = $7::oid
              THEN pg_catalog.pg_relation_size($1::oid, $2) / current_setting('block_size')::int8 END AS blocks,
         CASE WHEN current_setting('io_combine_limit', true) IS NOT NULL
              THEN set_config('io_combine_limit', $8::text, true) END AS combined
), u AS (
  SELECT u.*, sum(u.beyond - u.first) OVER (ORDER BY u.i) AS behind
    FROM unnest($3::text[], $4::int8[], $5::int8[], $6::int8[]) WITH ORDINALITY AS u (mode, first, beyond, weight, i)
   ORDER BY u.i
)
SELECT COALESCE(sum(@extschema:pg_prewarm@.pg_prewarm($1::oid::regclass, u.mode, $2, u.first, LEAST(u.beyond, l.blocks) - 1)
                    * u.weight
                    + CASE WHEN pg_catalog.pg_sleep(LEAST(1, GREATEST(0, $9::float8 * u.behind / 1000
                        - extract(epoch FROM clock_timestamp() - statement_timestamp())))) IS NULL THEN 0 ELSE 0 END),
                0)::float8 AS blocks
  FROM l, u
 WHERE u.first < l.blocks;
