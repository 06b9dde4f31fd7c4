#!/bin/sh
# Serves MariaDB from $DATADIR, which is made first where it is not there, and filled by SETUP (a script) while no
# client can reach it. What was interrupted on the way is thrown away and done again. Arguments go to the server.
set -eu
: "${DATADIR:?}" "${SETUP:?}"
fresh=$DATADIR.fresh
# Of the image's own option files nothing is taken: they want to write outside of $DATADIR and /tmp. The relay log has a
# name of its own, for by default it has that of the file with the pid, and setup's would not be found again.
set -- --relay-log=relay-bin "$@"
export SOCKET=/tmp/setup.sock

if [ ! -d "$DATADIR/mysql" ]; then
  rm -rf "$DATADIR" "$fresh"
  mariadb-install-db --no-defaults --datadir="$fresh" --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve >/dev/null
  mariadbd --no-defaults --datadir="$fresh" --socket="$SOCKET" --pid-file=/tmp/setup.pid --skip-networking --skip-slave-start "$@" &
  server=$!
  until mariadb --no-defaults -u root -S "$SOCKET" -e 'SELECT 1' >/dev/null 2>&1; do
    kill -0 "$server"
    sleep 0.2
  done
  "$SETUP"
  mariadb-admin --no-defaults -u root -S "$SOCKET" shutdown
  wait "$server"
  mv "$fresh" "$DATADIR"
fi
exec mariadbd --no-defaults --datadir="$DATADIR" --socket=/tmp/mysqld.sock --pid-file=/tmp/mysqld.pid --bind-address=0.0.0.0 "$@"
