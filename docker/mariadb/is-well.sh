#!/bin/sh
# Health check: the server answers, and a replica applies what it gets, also while its primary is away.
set -eu
ask() { mariadb --no-defaults -u root -S /tmp/mysqld.sock -e "$1"; }
ask 'SELECT 1' >/dev/null
[ -n "${PRIMARY:-}" ] || exit 0
case $(ask 'SHOW SLAVE STATUS\G') in
  *'Slave_SQL_Running: Yes'*) ;;
  *) echo 'the replica does not apply' >&2 && exit 1 ;;
esac
