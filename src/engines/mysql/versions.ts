import { ForewarmError } from '../../lib/errors.ts';
import type { EngineKind } from '../engine.ts';

/** Where the two servers, and their versions, differ. Everything else asks here. */
export interface Dialect {
  readonly kind: Exclude<EngineKind, 'postgres'>;
  readonly title: string;
  /** Sets the bound of the session's statements. */
  readonly boundStatements: (ms: number) => string;
  /** `INNODB_CACHED_INDEXES`: cached pages of each index without a walk of the pool. */
  readonly cachedIndexes: boolean;
  /** A statement run by the binary protocol is counted under its digest; else only where it was prepared. */
  readonly digestsPrepared: boolean;
  /** Settings of a session that asks the planner: one format of its answer for all versions. */
  readonly planSettings: readonly string[];
  readonly replicaStatus: string;
  /** Columns of the replica status by what they say. */
  readonly replicaColumns: {
    readonly io: string;
    readonly sql: string;
    readonly behind: string;
    readonly source: string;
    /** GTIDs that came in, and those that are applied, where the status has both. */
    readonly received?: string;
    readonly applied?: string;
  };
  /** Has the age of what each applier works on in `performance_schema`. */
  readonly appliersTell: boolean;
  /** What lets a role see the replica status, and change `innodb_old_blocks_time`. */
  readonly replicaPrivilege: string;
}

const mysql: Dialect = {
  kind: 'mysql',
  title: 'MySQL',
  boundStatements: (ms) => `SET SESSION max_execution_time = ${Math.round(ms)}`,
  cachedIndexes: true,
  digestsPrepared: true,
  planSettings: ['SET /*!80300 SESSION explain_json_format_version = 1, */ @forewarm = NULL'],
  replicaStatus: 'SHOW REPLICA STATUS',
  replicaColumns: {
    io: 'Replica_IO_Running',
    sql: 'Replica_SQL_Running',
    behind: 'Seconds_Behind_Source',
    source: 'Channel_Name',
  },
  appliersTell: true,
  replicaPrivilege: 'REPLICATION CLIENT',
};

const mariadb: Dialect = {
  kind: 'mariadb',
  title: 'MariaDB',
  boundStatements: (ms) => `SET SESSION max_statement_time = ${(ms / 1_000).toFixed(3)}`,
  cachedIndexes: false,
  digestsPrepared: false,
  planSettings: [],
  replicaStatus: 'SHOW ALL SLAVES STATUS',
  replicaColumns: {
    io: 'Slave_IO_Running',
    sql: 'Slave_SQL_Running',
    behind: 'Seconds_Behind_Master',
    source: 'Connection_name',
    received: 'Gtid_IO_Pos',
    applied: 'Gtid_Slave_Pos',
  },
  appliersTell: false,
  replicaPrivilege: 'REPLICA MONITOR',
};

const oldest = { mysql: [8, 0, 22], mariadb: [10, 6, 0] } as const;

export interface ServerVersion {
  readonly dialect: Dialect;
  /** As people write it, such as `10.11.19`. */
  readonly version: string;
}

/** From `VERSION()`. Errors: `database_unsupported`. */
export function versionOf(text: string): ServerVersion {
  const dialect = /mariadb/i.test(text) ? mariadb : mysql;
  // MariaDB before 11 may put a MySQL version in front for old clients.
  const numbers = /(\d+)\.(\d+)\.(\d+)/.exec(text.replace(/^5\.5\.5-/, ''));
  const version = numbers?.[0] ?? text;
  const least = oldest[dialect.kind];
  const have = (numbers ?? []).slice(1, 4).map(Number);
  const differs = least.findIndex((number, at) => number !== have[at]);
  if (differs >= 0 && (have[differs] ?? 0) < least[differs]!) {
    throw new ForewarmError('database_unsupported', `it runs ${dialect.title} ${version}`, {
      hint: `Forewarm needs MySQL ${oldest.mysql.join('.')} or MariaDB ${oldest.mariadb.join('.')}, or later.`,
    });
  }
  return { dialect, version };
}
