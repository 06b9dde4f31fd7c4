-- Purpose: the user that Forewarm's agents connect as, with as little as they need, and the procedures that they call.
-- Run it on the primary as an administrator; it replicates. Running it again changes nothing but the password. For one database:
--
--   { echo "SET @forewarm_password = 'secret', @forewarm_database = 'app';"; cat sql/mysql/setup.sql; } | mysql
--
-- For several, run it once for each. Undo: DROP USER forewarm; DROP DATABASE forewarm;
-- Privilege: CREATE USER, GRANT OPTION, CREATE, UPDATE on performance_schema, and SYSTEM_VARIABLES_ADMIN or SUPER, with whose
-- rights the procedures run.
-- Cost: none. Nothing of the application's is changed. count_alone and resume_counting are for the option observe.exact alone;
-- whoever does not want it may drop them.

SET @forewarm_sql = CONCAT('CREATE USER IF NOT EXISTS forewarm@''%'' IDENTIFIED BY ', QUOTE(@forewarm_password));
PREPARE forewarm_step FROM @forewarm_sql;
EXECUTE forewarm_step;
SET @forewarm_sql = CONCAT('ALTER USER forewarm@''%'' IDENTIFIED BY ', QUOTE(@forewarm_password));
PREPARE forewarm_step FROM @forewarm_sql;
EXECUTE forewarm_step;

-- The pool and the sessions of others.
GRANT PROCESS ON *.* TO forewarm@'%';
-- The state of replication: of these two lines each product reads its own.
GRANT /*!80000 REPLICATION CLIENT ON *.* TO forewarm@'%' */ /*M!100509 REPLICA MONITOR ON *.* TO forewarm@'%' */;
-- Statements and their counts.
GRANT SELECT ON performance_schema.* TO forewarm@'%';
-- Sizes of indexes.
GRANT SELECT ON mysql.innodb_index_stats TO forewarm@'%';

-- To read what is warmed.
SET @forewarm_sql = CONCAT('GRANT SELECT, SHOW VIEW ON `', REPLACE(@forewarm_database, '`', '``'), '`.* TO forewarm@''%''');
PREPARE forewarm_step FROM @forewarm_sql;
EXECUTE forewarm_step;
DEALLOCATE PREPARE forewarm_step;
SET @forewarm_sql = NULL, @forewarm_password = NULL;

CREATE DATABASE IF NOT EXISTS forewarm;
DROP PROCEDURE IF EXISTS forewarm.admit_new_pages;
DELIMITER //
-- Sets innodb_old_blocks_time to 0 for at most 5 s and restores it, also when the caller is gone or its statement is killed, unless
-- an administrator has set it to something else meanwhile. The lock makes it one call at a time: a second one returns at once.
CREATE PROCEDURE forewarm.admit_new_pages(IN wanted_ms INT)
  SQL SECURITY DEFINER
  MODIFIES SQL DATA
BEGIN
  -- 0: not this call's to restore.
  DECLARE before_ms INT UNSIGNED DEFAULT 0;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    IF before_ms > 0 AND @@GLOBAL.innodb_old_blocks_time = 0 THEN
      SET GLOBAL innodb_old_blocks_time = before_ms;
    END IF;
    DO RELEASE_LOCK('forewarm.admit_new_pages');
    RESIGNAL;
  END;
  IF wanted_ms > 0 AND GET_LOCK('forewarm.admit_new_pages', 0) = 1 THEN
    SET before_ms = @@GLOBAL.innodb_old_blocks_time;
    SET GLOBAL innodb_old_blocks_time = 0;
    DO SLEEP(LEAST(wanted_ms, 5000) / 1000);
    IF before_ms > 0 AND @@GLOBAL.innodb_old_blocks_time = 0 THEN
      SET GLOBAL innodb_old_blocks_time = before_ms;
    END IF;
    DO RELEASE_LOCK('forewarm.admit_new_pages');
  END IF;
END//
-- Sets innodb_old_blocks_time back where an administrator has killed the session of a call: nothing of a procedure runs then.
-- Changes it only from 0, and only while no call is under way.
DROP PROCEDURE IF EXISTS forewarm.restore_old_blocks_time//
CREATE PROCEDURE forewarm.restore_old_blocks_time(IN usual_ms INT)
  SQL SECURITY DEFINER
  MODIFIES SQL DATA
BEGIN
  IF usual_ms BETWEEN 1 AND 60000 AND GET_LOCK('forewarm.admit_new_pages', 2) = 1 THEN
    IF @@GLOBAL.innodb_old_blocks_time = 0 THEN
      SET GLOBAL innodb_old_blocks_time = usual_ms;
    END IF;
    DO RELEASE_LOCK('forewarm.admit_new_pages');
  END IF;
END//
-- What some sessions touch, by index: for at most 5 s the statistics of all other sessions, appliers included, are stopped, and
-- taken up again by the same call, also when the caller is gone or its statement is killed. Gives two readings of the counts, and
-- the number of connections made so far with each; one call at a time, a second one gives nothing. On the server alone: nothing
-- is logged.
DROP PROCEDURE IF EXISTS forewarm.count_alone//
CREATE PROCEDURE forewarm.count_alone(IN counted_threads TEXT, IN wanted_ms INT)
  SQL SECURITY DEFINER
  MODIFIES SQL DATA
BEGIN
  DECLARE stopped_threads LONGTEXT DEFAULT '';
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    UPDATE performance_schema.threads SET INSTRUMENTED = 'YES' WHERE FIND_IN_SET(THREAD_ID, stopped_threads);
    DO RELEASE_LOCK('forewarm.count_alone');
    RESIGNAL;
  END;
  IF wanted_ms > 0 AND GET_LOCK('forewarm.count_alone', 0) = 1 THEN
    SET SESSION group_concat_max_len = 1048576;
    SELECT COALESCE(GROUP_CONCAT(THREAD_ID), '') INTO stopped_threads
      FROM performance_schema.threads
      WHERE INSTRUMENTED = 'YES' AND TYPE = 'FOREGROUND' AND NOT FIND_IN_SET(THREAD_ID, counted_threads);
    UPDATE performance_schema.threads SET INSTRUMENTED = 'NO' WHERE FIND_IN_SET(THREAD_ID, stopped_threads);
    -- Accesses that were under way are counted with their end.
    DO SLEEP(0.05);
    SELECT VARIABLE_VALUE + 0e0 AS connections FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Connections';
    SELECT OBJECT_SCHEMA AS `database`, OBJECT_NAME AS `table`, COALESCE(INDEX_NAME, 'PRIMARY') AS `index`,
        SUM(COUNT_STAR) + 0e0 AS accesses
      FROM performance_schema.table_io_waits_summary_by_index_usage
      WHERE OBJECT_TYPE = 'TABLE' AND COUNT_STAR > 0
      GROUP BY OBJECT_SCHEMA, OBJECT_NAME, COALESCE(INDEX_NAME, 'PRIMARY') LIMIT 50000;
    DO SLEEP(LEAST(wanted_ms, 5000) / 1000);
    SELECT OBJECT_SCHEMA AS `database`, OBJECT_NAME AS `table`, COALESCE(INDEX_NAME, 'PRIMARY') AS `index`,
        SUM(COUNT_STAR) + 0e0 AS accesses
      FROM performance_schema.table_io_waits_summary_by_index_usage
      WHERE OBJECT_TYPE = 'TABLE' AND COUNT_STAR > 0
      GROUP BY OBJECT_SCHEMA, OBJECT_NAME, COALESCE(INDEX_NAME, 'PRIMARY') LIMIT 50000;
    SELECT VARIABLE_VALUE + 0e0 AS connections FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Connections';
    UPDATE performance_schema.threads SET INSTRUMENTED = 'YES' WHERE FIND_IN_SET(THREAD_ID, stopped_threads);
    DO RELEASE_LOCK('forewarm.count_alone');
  END IF;
END//
-- Takes statistics up again where an administrator has killed the session of a call: nothing of a procedure runs then. Leaves
-- out these threads, and users that setup_actors leaves out; does nothing while a call is under way, which does it by itself.
DROP PROCEDURE IF EXISTS forewarm.resume_counting//
CREATE PROCEDURE forewarm.resume_counting(IN uncounted_threads TEXT)
  SQL SECURITY DEFINER
  MODIFIES SQL DATA
BEGIN
  IF GET_LOCK('forewarm.count_alone', 2) = 1 THEN
    UPDATE performance_schema.threads SET INSTRUMENTED = 'YES'
      WHERE INSTRUMENTED = 'NO' AND TYPE = 'FOREGROUND' AND NOT FIND_IN_SET(THREAD_ID, uncounted_threads)
        AND (PROCESSLIST_USER IS NULL OR PROCESSLIST_USER NOT IN
          (SELECT a.USER FROM performance_schema.setup_actors a WHERE a.ENABLED = 'NO'));
    DO RELEASE_LOCK('forewarm.count_alone');
  END IF;
END//
DELIMITER ;
GRANT EXECUTE ON PROCEDURE forewarm.count_alone TO forewarm@'%';
GRANT EXECUTE ON PROCEDURE forewarm.resume_counting TO forewarm@'%';
GRANT EXECUTE ON PROCEDURE forewarm.admit_new_pages TO forewarm@'%';
GRANT EXECUTE ON PROCEDURE forewarm.restore_old_blocks_time TO forewarm@'%';
