-- Purpose: definitions of functions by name, for the names of relations and functions inside them.
-- Parameters: $1 text[], function names.
-- Privilege: none; definitions are public.
-- Cost: below 1 ms, by the index on names; cached for minutes.
SELECT n.nspname AS "schema",
       p.proname AS "name",
       l.lanname AS "language",
       p.prosrc AS "source",
       pg_catalog.pg_get_function_sqlbody(p.oid) AS "sqlBody",
       p.proargnames AS "argumentNames",
       (SELECT pg_catalog.substr(c.setting, 13)
        FROM pg_catalog.unnest(p.proconfig) AS c (setting)
        WHERE pg_catalog.lower(pg_catalog.left(c.setting, 12)) = 'search_path=') AS "searchPath"
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.proname = ANY ($1::text[])
  AND l.lanname NOT IN ('internal', 'c')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
LIMIT 500;
