#!/bin/sh
# The database `app` of compose.yaml: Forewarm's user, the application's user and its table. Every server makes the
# same by itself, outside of its binary log, and replicates from there on; nobody but `root` of the container is let in
# without a password.
set -eu
{
  cat <<SQL
SET sql_log_bin = 0;
CREATE DATABASE app;
USE app;
CREATE USER replicator@'%' IDENTIFIED BY '$REPLICATION_PASSWORD';
GRANT REPLICATION SLAVE ON *.* TO replicator@'%';
CREATE USER app2@'%' IDENTIFIED BY '$APP_PASSWORD';
CREATE TABLE items (id bigint NOT NULL PRIMARY KEY, filler text NOT NULL);
INSERT INTO items SELECT seq, LPAD(seq, 192, 'x') FROM seq_1_to_$APP_ROWS;
ANALYZE TABLE items;
GRANT SELECT ON app.* TO app2@'%';
SET @forewarm_password = '$FOREWARM_PASSWORD', @forewarm_database = 'app';
SQL
  cat /sql/mysql/setup.sql
  # Of a primary that has logged nothing nobody can tell how far a replica is behind it.
  [ -n "${PRIMARY:-}" ] || echo 'SET sql_log_bin = 1; CREATE DATABASE IF NOT EXISTS app;'
  [ -z "${PRIMARY:-}" ] || cat <<SQL
CHANGE MASTER TO MASTER_HOST = '$PRIMARY', MASTER_USER = 'replicator', MASTER_PASSWORD = '$REPLICATION_PASSWORD',
  MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos;
SQL
} | mariadb --no-defaults -u root -S "$SOCKET" >/dev/null
