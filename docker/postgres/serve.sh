#!/bin/sh
# Serves PostgreSQL from $PGDATA, which is made first where it is not there: a copy of the server that
# PRIMARY names (a conninfo), else a new cluster, filled by SETUP (a script) while no client can reach it.
# What was interrupted on the way is thrown away and done again. Arguments go to the server.
set -eu
: "${PGDATA:?}"
fresh=$PGDATA.fresh
socket=${TMPDIR:-/tmp}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA" "$fresh"
  if [ -n "${PRIMARY:-}" ]; then
    # The slot comes first, and may be there from an attempt before: without it the copy could miss WAL.
    until psql -qAtX "$PRIMARY dbname=postgres" -v slot="$SLOT" >/dev/null <<'SQL'
SELECT pg_create_physical_replication_slot(:'slot', true)
 WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = :'slot');
SQL
    do sleep 1; done
    pg_basebackup -d "$PRIMARY application_name=$SLOT" -D "$fresh" -S "$SLOT" -X stream -R -c fast --no-sync
  else
    initdb -D "$fresh" -U postgres -E UTF8 --locale=C --auth-local=trust --auth-host=scram-sha-256 --no-sync --no-instructions
    printf 'host all all all %s\nhost replication all all %s\n' "$HBA_METHOD" "$HBA_METHOD" >>"$fresh/pg_hba.conf"
    if [ -n "${SETUP:-}" ]; then
      pg_ctl -D "$fresh" -w -o "-c listen_addresses= -c unix_socket_directories=$socket $*" start
      PGHOST=$socket PGUSER=postgres "$SETUP"
      pg_ctl -D "$fresh" -w -m fast stop
    fi
  fi
  mv "$fresh" "$PGDATA"
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories="$socket" "$@"
