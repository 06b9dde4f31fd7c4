#!/bin/sh
# Serves MariaDB from $DATADIR, which is made first where it is not there, and filled by SETUP (a script) while no
# client can reach it. What was interrupted on the way is thrown away and done again. Arguments go to the server.
set -eu
: "${DATADIR:?}" "${SETUP:?}"
fresh=$DATADIR.fresh
export MYSQL_UNIX_PORT=/tmp/setup.sock

if [ ! -d "$DATADIR/mysql" ]; then
  rm -rf "$DATADIR" "$fresh"
  mariadb-install-db --datadir="$fresh" --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve >/dev/null
  mariadbd --datadir="$fresh" --skip-networking --skip-slave-start "$@" &
  server=$!
  until mariadb -u root -e 'SELECT 1' >/dev/null 2>&1; do
    kill -0 "$server"
    sleep 0.2
  done
  "$SETUP"
  mariadb-admin -u root shutdown
  wait "$server"
  mv "$fresh" "$DATADIR"
fi
export MYSQL_UNIX_PORT=/tmp/mysqld.sock
exec mariadbd --datadir="$DATADIR" --bind-address=0.0.0.0 "$@"
