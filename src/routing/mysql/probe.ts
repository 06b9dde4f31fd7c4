import mysql from 'mysql2/promise';
import { loadStatement } from '../../lib/sql-file.ts';
import type { Probe, Shown } from '../driver.ts';
import { covers, parseGtidPosition, withoutServer } from './position.ts';

const statements = {
  version: loadStatement('mysql', 'version').text,
  mariadb: loadStatement('mysql', 'position-mariadb').text,
  mysql: loadStatement('mysql', 'position-mysql').text,
  shown: loadStatement('mysql', 'position-shown').text,
};

/** What tells the two kinds of server apart: positions as text, and how one is held against a server. */
interface Dialect {
  position(connection: mysql.Connection): Promise<string>;
  shows(connection: mysql.Connection, position: string): Promise<boolean>;
}

async function rowOf<Row>(connection: mysql.Connection, text: string, values: unknown[] = []): Promise<Row> {
  const [rows] = await connection.query(text, values);
  return (rows as Row[])[0]!;
}

/** A server that does not answer never takes leave either: its socket is closed after this. */
const farewellMs = 1_000;

const mariadb: Dialect = {
  // What a read-only server has written by itself reaches no other one: it is not waited for.
  async position(connection) {
    const row = await rowOf<{ applied: string; current: string; readOnly: number }>(
      connection,
      statements.mariadb,
    );
    return row.readOnly ? row.applied : row.current;
  },
  async shows(connection, position) {
    const { current } = await rowOf<{ current: string }>(connection, statements.mariadb);
    return covers(parseGtidPosition(current), parseGtidPosition(position));
  },
};

const mysqlDialect: Dialect = {
  async position(connection) {
    const row = await rowOf<{ executed: string; serverId: string; readOnly: number }>(
      connection,
      statements.mysql,
    );
    return row.readOnly ? withoutServer(row.executed, row.serverId) : row.executed;
  },
  async shows(connection, position) {
    return (await rowOf<{ shown: number }>(connection, statements.shown, [position])).shown === 1;
  },
};

/** Connects as the application does, apart from its pool. Rejects within `connectMs`. */
export async function openMysqlProbe(options: mysql.ConnectionOptions, connectMs: number): Promise<Probe> {
  const connection = await mysql.createConnection({
    ...options,
    connectTimeout: connectMs,
    // Whatever the application likes to get: these rows are for us.
    typeCast: true,
    namedPlaceholders: false,
    rowsAsArray: false,
    nestTables: false,
    supportBigNumbers: false,
    bigNumberStrings: false,
    queryFormat: undefined as never,
  });
  // The next question says that it is gone.
  connection.on('error', () => {});
  const { version } = await connection
    .query({ sql: statements.version, timeout: connectMs })
    .then(([rows]) => (rows as { version: string }[])[0]!)
    .catch((error) => {
      connection.destroy();
      throw error;
    });
  const dialect = /mariadb/i.test(version) ? mariadb : mysqlDialect;
  return {
    position: () => dialect.position(connection),
    async shows(position): Promise<Shown> {
      if (position === '') {
        return { is: 'unknown', why: 'the old replica has no GTID: it is not known what was seen there' };
      }
      return { is: (await dialect.shows(connection, position as string)) ? 'yes' : 'no' };
    },
    async ping() {
      await connection.ping();
    },
    async kill(sessionId) {
      await connection.query('KILL CONNECTION ?', [sessionId]);
    },
    close() {
      void connection.end().catch(() => {});
      setTimeout(() => connection.destroy(), farewellMs).unref();
    },
  };
}
