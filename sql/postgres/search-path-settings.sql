-- Purpose: search paths set for roles and databases, and the server's own.
-- Parameters: none.
-- Privilege: none; pg_db_role_setting is public.
-- Cost: below 1 ms; cached for minutes.
SELECT COALESCE(pg_catalog.pg_get_userbyid(NULLIF(s.setrole, 0)), '') AS "user",
       COALESCE(d.datname, '') AS "database",
       pg_catalog.substr(c.setting, 13) AS "path"
FROM pg_catalog.pg_db_role_setting s
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE pg_catalog.lower(pg_catalog.left(c.setting, 12)) = 'search_path='
UNION ALL
SELECT '', '', (SELECT s.reset_val FROM pg_catalog.pg_settings s WHERE s.name = 'search_path')
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_db_role_setting s
  WHERE s.setrole = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = SESSION_USER));
