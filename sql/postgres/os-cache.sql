-- Purpose:    which pages of the main forks of some relations the OS page cache holds: a bit a page.
-- Parameters: $1 int4[] numbers given back as i, $2 oid[] relations.
-- Privilege:  EXECUTE on pgfincore (extension pgfincore).
-- Cost:       one mincore() a file of 1 GiB; 32 KB of bits a GiB, eight times that on the wire.
SELECT w.i, f.segment, f.os_page_size::int4 AS page_bytes, f.databit::text AS bits,
       (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'segment_size') AS segment_blocks
  FROM unnest($1::int4[], $2::oid[]) AS w (i, oid),
       LATERAL @extschema:pgfincore@.pgfincore(w.oid::regclass, 'main', true) AS f
 WHERE f.databit IS NOT NULL;
