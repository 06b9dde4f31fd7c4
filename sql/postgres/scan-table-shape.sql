-- Purpose:    a table's quoted name and its state now, for a scan by TID ranges.
-- Parameters: $1 oid of the table, TOAST table or materialized view.
-- Privilege:  none.
-- Cost:       small; catalogs only.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS table_name,
       pg_catalog.pg_relation_filenode(c.oid) AS filenode,
       (pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int)::float8 AS size_blocks
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = $1::oid AND c.relkind IN ('r', 't', 'm');
