-- Purpose:    what the role may do in this database, and which extensions it has with their versions.
-- Parameters: none.
-- Privilege:  none.
-- Cost:       small; catalogs only.
SELECT current_user::text AS role,
       r.rolsuper AS superuser,
       pg_catalog.pg_has_role(current_user, 'pg_monitor', 'USAGE') AS monitors,
       pg_catalog.pg_has_role(current_user, 'pg_read_all_data', 'USAGE') AS reads_all,
       -- Made by setup.sql, where a superuser ran it.
       EXISTS (SELECT FROM pg_catalog.pg_proc p
                 JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'forewarm'
                 JOIN pg_catalog.pg_roles o ON o.oid = p.proowner AND o.rolsuper
                 -- The owner of the schema could replace it.
                 JOIN pg_catalog.pg_roles so ON so.oid = n.nspowner AND so.rolsuper
                WHERE p.proname = 'read_through' AND p.proargtypes = '26 25 1016 1016'::oidvector AND p.prosecdef
                  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                  AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')) AS reads_through,
       COALESCE((SELECT pg_catalog.jsonb_object_agg(e.extname, e.extversion) FROM pg_catalog.pg_extension e), '{}') AS extensions,
       -- The least of a function's overloads, by extension: false where EXECUTE is missing on any of them.
       COALESCE((SELECT pg_catalog.jsonb_object_agg(x.extname, x.executes)
                   FROM (SELECT e.extname, bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')) AS executes
                           FROM pg_catalog.pg_extension e
                           JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass
                                AND d.refobjid = e.oid AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
                           JOIN pg_catalog.pg_proc p ON p.oid = d.objid
                          WHERE p.proname IN ('pg_prewarm', 'pg_buffercache_pages', 'pgfincore')
                          GROUP BY e.extname) x), '{}') AS executes
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user;
