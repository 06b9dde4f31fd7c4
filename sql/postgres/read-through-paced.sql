-- Purpose:    as read-through, but group after group, and no faster than a pace: others that read from the same disk
--             wait behind one group at most, and part of the disk's time is theirs.
-- Parameters: $1 oid, $2 fork, $3 int8[] starts, $4 int8[] ends (exclusive), $5 oid filenode expected, $6 int4[] the
--             span's group, of which the least is read first, $7 float8 ms a block.
-- Privilege:  USAGE on schema forewarm, EXECUTE on forewarm.read_through and pg_sleep.
-- Cost:       what it reads, and a call a group; it sleeps for no longer than a second at once.
SELECT sum(CASE WHEN pg_catalog.pg_relation_filenode($1::oid) = $5::oid
                THEN forewarm.read_through($1::oid, $2, g.starts, g.ends) ELSE 0 END
           + CASE WHEN pg_catalog.pg_sleep(LEAST(1, GREATEST(0, $7::float8 * g.behind / 1000
               - extract(epoch FROM clock_timestamp() - statement_timestamp())))) IS NULL THEN 0 ELSE 0 END)::float8 AS blocks
  FROM (SELECT array_agg(u.start ORDER BY u.i) AS starts, array_agg(u.beyond ORDER BY u.i) AS ends,
               sum(sum(u.beyond - u.start)) OVER (ORDER BY u.step) AS behind
          FROM unnest($3::int8[], $4::int8[], $6::int4[]) WITH ORDINALITY AS u (start, beyond, step, i)
         GROUP BY u.step ORDER BY u.step) g;
