-- Purpose:    the least-privileged role `forewarm` and the extensions, in one database. Run it on the PRIMARY,
--             once for each database that is watched, as an administrator; running it again changes nothing.
--               psql -d app -f setup.sql
--               PGOPTIONS="-c forewarm.password=secret" psql -d app -f setup.sql
-- Parameters: settings of the session: forewarm.role (default forewarm) and forewarm.password (none by default:
--             set one, or let pg_hba.conf use peer, cert or LDAP). Plain SQL: any client can run it.
-- Privilege:  CREATEROLE, ADMIN on pg_monitor and pg_read_all_data, and the right to create extensions
--             (a superuser; on managed services their administrator's role, without forewarm.read_through).
-- Before:     shared_preload_libraries = 'pg_stat_statements' in postgresql.conf of every server, and a restart.

CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
CREATE EXTENSION IF NOT EXISTS pg_buffercache;
CREATE EXTENSION IF NOT EXISTS pg_prewarm;

DO $setup$
DECLARE
  wanted text := COALESCE(NULLIF(current_setting('forewarm.role', true), ''), 'forewarm');
  secret text := NULLIF(current_setting('forewarm.password', true), '');
  f regprocedure;
  s name;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
    EXECUTE pg_catalog.format('CREATE ROLE %I LOGIN CONNECTION LIMIT 40', wanted);
  END IF;
  IF secret IS NOT NULL THEN
    EXECUTE pg_catalog.format('ALTER ROLE %I PASSWORD %L', wanted, secret);
  END IF;

  -- The sessions and statements of others, the WAL receiver, the view of the buffer pool.
  IF NOT pg_catalog.pg_has_role(wanted, 'pg_monitor', 'USAGE') THEN
    EXECUTE pg_catalog.format('GRANT pg_monitor TO %I', wanted);
  END IF;
  -- pg_prewarm and EXPLAIN ask for SELECT on the table. Forewarm fetches no row of it; where pg_prewarm is
  -- missing it scans, and counts.
  IF NOT pg_catalog.pg_has_role(wanted, 'pg_read_all_data', 'USAGE') THEN
    EXECUTE pg_catalog.format('GRANT pg_read_all_data TO %I', wanted);
  END IF;
  IF NOT pg_catalog.pg_has_role(wanted, 'pg_read_all_data', 'USAGE') THEN
    RAISE WARNING 'role % does not inherit what it was granted: ALTER ROLE % INHERIT, and grant again', wanted, wanted;
  END IF;
  -- Nothing that it runs writes; this holds it to that.
  EXECUTE pg_catalog.format('ALTER ROLE %I SET default_transaction_read_only = on', wanted);
  EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), wanted);

  -- The second tier, the OS page cache: a package of its own (Debian: postgresql-NN-pgfincore).
  IF EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'pgfincore') THEN
    BEGIN
      CREATE EXTENSION IF NOT EXISTS pgfincore;
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE WARNING 'pgfincore is left out: %', SQLERRM;
    END;
  END IF;

  -- Reads a relation's blocks into the OS cache by large reads that end where they should: pg_prewarm's `read`
  -- mode asks for one block at a time, and the kernel's read-ahead then reads far more. Only a superuser can
  -- make it. It gives back how many blocks it read, never what is in them.
  IF (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) THEN
    -- Its owner could put another function in the place of this one, for the agent's role to run.
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace n
                LEFT JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid
                JOIN pg_catalog.pg_roles o ON o.oid IN (n.nspowner, p.proowner)
               WHERE n.nspname = 'forewarm' AND NOT o.rolsuper) THEN
      RAISE EXCEPTION 'schema forewarm, or a function in it, belongs to a role that is no superuser'
        USING HINT = 'Drop or rename it first.';
    END IF;
    CREATE SCHEMA IF NOT EXISTS forewarm;
    CREATE OR REPLACE FUNCTION forewarm.read_through(relation oid, fork text, firsts int8[], beyonds int8[])
    RETURNS int8 LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $read$
    DECLARE
      block constant int8 := current_setting('block_size')::int8;
      segment constant int8 := pg_size_bytes(current_setting('segment_size')) / block;
      piece constant int8 := 4 * 1024 * 1024 / block;
      path constant text := pg_relation_filepath(relation) || CASE fork WHEN 'main' THEN '' WHEN 'fsm' THEN '_fsm' WHEN 'vm' THEN '_vm' END;
      start int8;
      first int8;
      beyond int8;
      held int8;
      size int8 := 0;
      read int8 := 0;
    BEGIN
      -- As pg_prewarm asks for it: of an index, on its table.
      IF path IS NULL OR has_table_privilege(session_user, COALESCE(
           (SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = relation), relation), 'SELECT') IS NOT TRUE THEN
        RETURN 0;
      END IF;
      -- By the files, for pg_relation_size would wait for an exclusive lock.
      LOOP
        held := (pg_stat_file(path || CASE WHEN size > 0 THEN '.' || size / segment ELSE '' END, true)).size / block;
        size := size + COALESCE(held, 0);
        EXIT WHEN held IS NULL OR held < segment;
      END LOOP;
      -- From the end to the beginning: reads that go up would be taken for a sequence, and read ahead of.
      FOR i IN REVERSE COALESCE(array_length(firsts, 1), 0) .. 1 LOOP
        first := GREATEST(firsts[i], 0);
        beyond := CASE WHEN firsts[i] IS NOT NULL AND beyonds[i] IS NOT NULL THEN LEAST(beyonds[i], size) END;
        WHILE beyond > first LOOP
          start := GREATEST(first, beyond - piece, (beyond - 1) / segment * segment);
          read := read + COALESCE(length(pg_read_binary_file(
            path || CASE WHEN start >= segment THEN '.' || start / segment ELSE '' END,
            start % segment * block, (beyond - start) * block, true)), 0) / block;
          beyond := start;
        END LOOP;
      END LOOP;
      RETURN read;
    END
    $read$;
    REVOKE ALL ON FUNCTION forewarm.read_through(oid, text, int8[], int8[]) FROM PUBLIC;
    EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA forewarm TO %I', wanted);
    EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION forewarm.read_through(oid, text, int8[], int8[]) TO %I', wanted);
  END IF;

  -- EXECUTE on pg_prewarm is everybody's by default, but is often revoked; pgfincore's is nobody's.
  -- What the others need comes with pg_monitor.
  FOR f IN
    SELECT p.oid::regprocedure
      FROM pg_catalog.pg_extension e
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
           AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
      JOIN pg_catalog.pg_proc p ON p.oid = d.objid
     WHERE p.proname IN ('pg_prewarm', 'pgfincore')
       AND NOT pg_catalog.has_function_privilege(wanted, p.oid, 'EXECUTE')
  LOOP
    BEGIN
      EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %I', f, wanted);
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE WARNING '% cannot be granted to %: %', f, wanted, SQLERRM;
    END;
  END LOOP;
  -- Extensions need not be in public.
  FOR s IN
    SELECT DISTINCT n.nspname
      FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname IN ('pg_stat_statements', 'pg_buffercache', 'pg_prewarm', 'pgfincore')
       AND NOT pg_catalog.has_schema_privilege(wanted, n.oid, 'USAGE')
  LOOP
    BEGIN
      EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I', s, wanted);
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE WARNING 'schema % cannot be granted to %: %', s, wanted, SQLERRM;
    END;
  END LOOP;
END
$setup$;
