import { type MysqlSettings, rootUser } from './mysql-settings.ts';

export type MysqlKind = 'mariadb' | 'mysql';

/** All that tells the two kinds apart in the lab. */
export interface MysqlTraits {
  readonly title: string;
  /** The environment variable that names the server's binary. */
  readonly variable: string;
  /** Names of the binary on a machine that has it. */
  readonly programs: readonly string[];
  /** What `--version` prints; its group is the version. */
  readonly version: RegExp;
  /** The oldest version with all that the lab uses. */
  readonly oldest: string;
  readonly settings: MysqlSettings;
  /** Files of a data folder that a physical copy must not or need not have. */
  readonly leftOut: RegExp;
  /** On a physical copy, before it follows: what its data holds counts as applied. */
  readonly adoptPosition: readonly string[];
  readonly follow: (sourcePort: number) => string;
  readonly startReplica: string;
  readonly stopReplica: string;
  /** One row with Last_IO_Error, Last_SQL_Error and Last_SQL_Errno on a replica, none elsewhere. */
  readonly replicaStatus: string;
  /** One row with the GTIDs that the server has written, as `position`. */
  readonly position: string;
  /** Waits for a position (first) up to seconds (second); `outcome` is 0 when all is applied. */
  readonly waitForPosition: string;
}

export const mysqlTraits: Readonly<Record<MysqlKind, MysqlTraits>> = {
  mariadb: {
    title: 'MariaDB',
    variable: 'FOREWARM_MARIADB_BIN',
    programs: ['mariadbd', 'mysqld'],
    version: /Ver (\d+\.\d+\.\d+)-MariaDB/,
    oldest: '10.5.0',
    settings: {
      log_slave_updates: true,
      gtid_strict_mode: true,
      // Off by default, and the only place that tells a session's statements apart; history needs current.
      performance_schema_consumer_events_statements_current: true,
      performance_schema_consumer_events_statements_history: true,
    },
    // `binlog.state` stays: it is what the position of the copy comes from.
    leftOut: /^(binlog\.(\d+|index)|relay.*|master\.info|.*\.pid|.*\.sock|ib_buffer_pool)$/,
    adoptPosition: ['SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos'],
    follow: (sourcePort) =>
      `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${sourcePort}, MASTER_USER = '${rootUser}', ` +
      `MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos`,
    startReplica: 'START SLAVE',
    stopReplica: 'STOP SLAVE',
    replicaStatus: 'SHOW SLAVE STATUS',
    position: 'SELECT @@GLOBAL.gtid_binlog_pos AS position',
    waitForPosition: 'SELECT MASTER_GTID_WAIT(?, ?) AS outcome',
  },
  mysql: {
    title: 'MySQL',
    variable: 'FOREWARM_MYSQL_BIN',
    programs: ['mysqld'],
    version: /Ver (\d+\.\d+\.\d+)(?!\S*MariaDB)/,
    oldest: '8.0.26',
    settings: {
      log_replica_updates: true,
      gtid_mode: true,
      enforce_gtid_consistency: true,
      mysqlx: false,
    },
    // `auto.cnf` holds the server's UUID: a copy makes one of its own. The GTIDs are in a table.
    leftOut: /^(auto\.cnf|binlog\..*|relay.*|.*\.pid|.*\.sock(\.lock)?|ib_buffer_pool)$/,
    adoptPosition: [],
    follow: (sourcePort) =>
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = ${sourcePort}, ` +
      `SOURCE_USER = '${rootUser}', SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400, SOURCE_AUTO_POSITION = 1`,
    startReplica: 'START REPLICA',
    stopReplica: 'STOP REPLICA',
    replicaStatus: 'SHOW REPLICA STATUS',
    position: 'SELECT @@GLOBAL.gtid_executed AS position',
    waitForPosition: 'SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?) AS outcome',
  },
};
