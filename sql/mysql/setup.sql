-- Purpose: the user that Forewarm's agents connect as, with as little as they need, and the procedure that keeps what they read.
-- Run it on the primary as an administrator; it replicates. Running it again changes nothing but the password. For one database:
--
--   { echo "SET @forewarm_password = 'secret', @forewarm_database = 'app';"; cat sql/mysql/setup.sql; } | mysql
--
-- For several, run it once for each. Undo: DROP USER forewarm; DROP DATABASE forewarm;
-- Privilege: CREATE USER, GRANT OPTION, CREATE, and SYSTEM_VARIABLES_ADMIN or SUPER, with whose rights the procedure runs.
-- Cost: none. Nothing of the application's is changed.

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
-- Sets innodb_old_blocks_time to 0 for at most 5 s and restores it, also when the caller is gone or its statement is killed. The
-- lock makes it one call at a time: a second one returns at once.
CREATE PROCEDURE forewarm.admit_new_pages(IN wanted_ms INT)
  SQL SECURITY DEFINER
  MODIFIES SQL DATA
BEGIN
  DECLARE before_ms INT UNSIGNED DEFAULT @@GLOBAL.innodb_old_blocks_time;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    SET GLOBAL innodb_old_blocks_time = before_ms;
    DO RELEASE_LOCK('forewarm.admit_new_pages');
    RESIGNAL;
  END;
  IF wanted_ms > 0 AND GET_LOCK('forewarm.admit_new_pages', 0) = 1 THEN
    SET before_ms = @@GLOBAL.innodb_old_blocks_time;
    SET GLOBAL innodb_old_blocks_time = 0;
    DO SLEEP(LEAST(wanted_ms, 5000) / 1000);
    SET GLOBAL innodb_old_blocks_time = before_ms;
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
DELIMITER ;
GRANT EXECUTE ON PROCEDURE forewarm.admit_new_pages TO forewarm@'%';
GRANT EXECUTE ON PROCEDURE forewarm.restore_old_blocks_time TO forewarm@'%';
