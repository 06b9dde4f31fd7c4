-- Purpose:    the catalogs that a new session reads while it starts and plans its first statements, and their
--             indexes, with what names their blocks in this database.
-- Parameters: none.
-- Privilege:  none: catalogs are public, what is in them is not read.
-- Cost:       3 ms for 85 relations with the round trip; asked for once in ten minutes at most.
SELECT c.oid, c.relname::text AS name,
       CASE WHEN c.oid = t.oid THEN 'table' ELSE 'index' END AS kind,
       CASE WHEN c.oid <> t.oid THEN 'pg_catalog.' || t.relname END AS parent,
       s.tablespace,
       CASE WHEN c.relisshared THEN 0::oid ELSE d.oid END AS database_oid,
       pg_catalog.pg_relation_filenode(c.oid) AS filenode_number
  FROM (SELECT t.oid, t.relname, array_agg(i.indexrelid) AS indexes
          FROM pg_catalog.pg_class t
          LEFT JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
         WHERE t.relnamespace = 'pg_catalog'::regnamespace AND t.relname IN (
           'pg_aggregate', 'pg_amop', 'pg_amproc', 'pg_attrdef', 'pg_attribute', 'pg_auth_members', 'pg_authid',
           'pg_cast', 'pg_class', 'pg_collation', 'pg_constraint', 'pg_database', 'pg_db_role_setting', 'pg_index',
           'pg_inherits', 'pg_namespace', 'pg_opclass', 'pg_operator', 'pg_partitioned_table', 'pg_proc',
           'pg_rewrite', 'pg_statistic', 'pg_statistic_ext', 'pg_statistic_ext_data', 'pg_tablespace', 'pg_trigger',
           'pg_type')
         GROUP BY t.oid, t.relname) t
  JOIN pg_catalog.pg_class c ON c.oid = t.oid OR c.oid = ANY (t.indexes)
  JOIN pg_catalog.pg_database d ON d.datname = current_database()
 CROSS JOIN LATERAL (SELECT CASE WHEN c.reltablespace = 0 THEN d.dattablespace ELSE c.reltablespace END) s (tablespace);
