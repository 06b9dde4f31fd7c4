-- Purpose:    reads spans of one fork into the OS cache, each in as few operations as the disk allows and not a
--             block beyond, by the function that setup.sql makes; nothing where the relation is gone or was
--             rewritten meanwhile.
-- Parameters: $1 oid, $2 fork, $3 int8[] starts, $4 int8[] ends (exclusive), $5 oid filenode expected.
-- Privilege:  USAGE on schema forewarm, EXECUTE on forewarm.read_through.
-- Cost:       what it reads; a block that the OS cache holds costs 1 us. 4 MiB of memory.
SELECT CASE WHEN pg_catalog.pg_relation_filenode($1::oid) = $5::oid
            THEN forewarm.read_through($1::oid, $2, $3::int8[], $4::int8[]) ELSE 0 END::float8 AS blocks;
