-- Purpose:    finds relations by name in this database, with what names their blocks here: OID, filenode,
--             blocks of each fork. TOAST tables and their indexes are named after OIDs, which differ on a
--             logical replica: they are found through the table that they belong to.
-- Parameters: $1 int4[] numbers given back as i, $2 text[] schemas, $3 text[] names, $4 text[] kinds,
--             $5 text[] tables (schema.name, unquoted) that TOAST relations belong to, or NULLs.
-- Privilege:  none: sizes are public.
-- Cost:       2 ms for three relations with the round trip; three stat() calls each. Takes AccessShareLock on each relation for
--             its size; one that is locked exclusively at that moment gets NULL sizes instead of a wait.
WITH wanted AS MATERIALIZED (
  SELECT * FROM unnest($1::int4[], $2::text[], $3::text[], $4::text[], $5::text[])
           AS w (i, schema, name, kind, parent)
), locked AS MATERIALIZED (
  SELECT l.relation FROM pg_catalog.pg_locks l
   WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
), found AS (
  SELECT w.i, c.oid
    FROM wanted w
    JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema::name
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name::name
   WHERE w.kind NOT IN ('toast', 'toast_index') OR w.parent IS NULL
  UNION ALL
  SELECT w.i, CASE w.kind WHEN 'toast' THEN p.reltoastrelid ELSE x.indexrelid END
    FROM wanted w
    JOIN (pg_catalog.pg_class p JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace)
      ON n.nspname::text || '.' || p.relname::text = w.parent AND p.reltoastrelid <> 0
    LEFT JOIN pg_catalog.pg_index x ON x.indrelid = p.reltoastrelid AND x.indisvalid AND w.kind = 'toast_index'
   WHERE w.kind IN ('toast', 'toast_index')
)
SELECT f.i, c.oid, c.relkind::text AS relkind, c.relpersistence::text AS persistence,
       pg_catalog.concat_ws('/', t.tablespace, CASE WHEN c.relisshared THEN 0::oid ELSE d.oid END,
                 pg_catalog.pg_relation_filenode(c.oid)) AS filenode,
       t.tablespace,
       CASE WHEN c.relisshared THEN 0::oid ELSE d.oid END AS database_oid,
       pg_catalog.pg_relation_filenode(c.oid) AS filenode_number,
       CASE WHEN l.relation IS NULL AND c.relkind IN ('r', 'i', 't', 'm', 'S') THEN
         ARRAY[pg_catalog.pg_relation_size(c.oid, 'main'), pg_catalog.pg_relation_size(c.oid, 'fsm'),
               pg_catalog.pg_relation_size(c.oid, 'vm')]::float8[]
       END AS fork_bytes
  FROM found f
  JOIN pg_catalog.pg_class c ON c.oid = f.oid
  JOIN pg_catalog.pg_database d ON d.datname = current_database()
  CROSS JOIN LATERAL (SELECT CASE WHEN c.reltablespace = 0 THEN d.dattablespace ELSE c.reltablespace END) t (tablespace)
  LEFT JOIN locked l ON l.relation = c.oid;
