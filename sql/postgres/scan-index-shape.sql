-- Purpose:    what a query must look like for the planner to read one B-tree index from end to end.
-- Parameters: $1 oid of the index.
-- Privilege:  none.
-- Cost:       small; catalogs only.
SELECT pg_catalog.format('%I.%I', n.nspname, t.relname) AS table_name,
       pg_catalog.pg_relation_filenode(i.oid) AS filenode,
       pg_catalog.pg_relation_size(i.oid) / current_setting('block_size')::int AS size_blocks,
       pg_catalog.pg_get_expr(x.indpred, x.indrelid) AS predicate,
       ARRAY(SELECT pg_catalog.pg_get_indexdef(i.oid, k, true)
                    || CASE x.indoption[k - 1] & 3 WHEN 0 THEN '' WHEN 1 THEN ' DESC NULLS LAST'
                                                   WHEN 2 THEN ' NULLS FIRST' ELSE ' DESC' END
               FROM generate_series(1, x.indnkeyatts) AS k) AS order_by
  FROM pg_catalog.pg_class i
  JOIN pg_catalog.pg_am a ON a.oid = i.relam AND a.amname = 'btree'
  JOIN pg_catalog.pg_index x ON x.indexrelid = i.oid AND x.indisvalid
  JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE i.oid = $1::oid;
