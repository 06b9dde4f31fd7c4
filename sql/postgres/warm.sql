-- Purpose:    reads spans of one fork by pg_prewarm in the order given, clipped to the fork's length now;
--             nothing where the relation is gone or was rewritten meanwhile.
-- Parameters: $1 oid, $2 fork, $3 text[] modes, $4 int8[] starts, $5 int8[] ends (exclusive),
--             $6 int8[] 1 where the span's blocks count in the answer, else 0, $7 oid filenode expected,
--             $8 text io_combine_limit in blocks for this statement, where the server has it.
-- Privilege:  SELECT on the relation (for an index: on its table), EXECUTE on pg_prewarm.
-- Cost:       what it reads; a resident block costs 0.2 us.
WITH l AS MATERIALIZED (
  SELECT CASE WHEN pg_catalog.pg_relation_filenode($1::oid) = $7::oid
              THEN pg_catalog.pg_relation_size($1::oid, $2) / current_setting('block_size')::int8 END AS blocks,
         CASE WHEN current_setting('io_combine_limit', true) IS NOT NULL
              THEN set_config('io_combine_limit', $8::text, true) END AS combined
)
SELECT COALESCE(sum(@extschema:pg_prewarm@.pg_prewarm($1::oid::regclass, s.mode, $2, s.first, LEAST(s.beyond, l.blocks) - 1)
                    * s.weight), 0)::float8 AS blocks
  FROM l, unnest($3::text[], $4::int8[], $5::int8[], $6::int8[]) AS s (mode, first, beyond, weight)
 WHERE s.first < l.blocks;
