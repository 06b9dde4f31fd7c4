#!/bin/sh
# The database `app` of compose.yaml: Forewarm's role and extensions, the application's role and its table.
set -eu
psql -qX -v ON_ERROR_STOP=1 -d postgres -v secret="$REPLICATION_PASSWORD" <<'SQL'
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'secret';
CREATE DATABASE app;
SQL
PGOPTIONS="-c forewarm.password=$FOREWARM_PASSWORD" psql -qX -v ON_ERROR_STOP=1 -d app -f /sql/postgres/setup.sql
psql -qX -v ON_ERROR_STOP=1 -d app -v secret="$APP_PASSWORD" -v rows="$APP_ROWS" <<'SQL'
CREATE ROLE app1 LOGIN PASSWORD :'secret';
CREATE TABLE items (id bigint NOT NULL, filler text NOT NULL);
INSERT INTO items SELECT g, lpad(g::text, 192, 'x') FROM generate_series(1::bigint, :rows) AS g;
ALTER TABLE items ADD PRIMARY KEY (id);
GRANT SELECT ON items TO app1;
VACUUM (FREEZE, ANALYZE) items;
SQL
