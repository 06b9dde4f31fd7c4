import { describeError, ForewarmError } from '../../lib/errors.ts';
import type { Finding } from '../engine.ts';
import type { MysqlConnections } from './connections.ts';
import { missingConsumers } from './consumers.ts';
import { isAllowed, readPrivileges } from './privileges.ts';
import { ReplicationReader } from './replication.ts';
import { type SqlStatement, sqlStatement } from './sql.ts';
import type { Dialect } from './versions.ts';

const settingsStatement = sqlStatement('check-settings');
const databasesStatement = sqlStatement('databases');
const sizesStatement = sqlStatement('index-sizes');
const countStatement = sqlStatement('count-alone');
const keptFreeStatement = sqlStatement('kept-free');

interface Settings {
  readonly performanceSchema: number | string;
  readonly oldBlocksTimeMs: number | string;
  readonly serverMs: number | string;
}

/** Everything that the agent needs of this server, all faults at once; never rejects. `exact`: VMs are to be counted alone. */
export async function check(
  connections: MysqlConnections,
  { exact }: { readonly exact: boolean },
): Promise<Finding[]> {
  try {
    connections.refresh();
    const startedMs = Date.now();
    const { dialect, version } = await connections.server();
    const [settings] = await connections.query<Settings>(settingsStatement);
    const clockMs = { serverMs: Number(settings?.serverMs), startedMs, endedMs: Date.now() };
    return [
      ok('connection', `${dialect.title} ${version} answers`),
      clockFinding(clockMs),
      ...(settings === undefined ? [] : settingFindings(settings, dialect)),
      ...(await databaseFindings(connections)),
      ...(await privilegeFindings(connections, dialect)),
      ...(await keptFreeFindings(connections)),
      ...(Number(settings?.performanceSchema) === 1 ? [await statementFinding(connections)] : []),
      ...(exact ? [await exactFinding(connections)] : []),
    ];
  } catch (error) {
    const hint = error instanceof ForewarmError ? error.hint : undefined;
    return [
      {
        level: 'fault',
        subject: 'connection',
        message: describeError(error).message,
        ...(hint === undefined ? {} : { remedy: hint }),
      },
    ];
  }
}

/** By trying, for no time at all: nothing is changed. */
async function exactFinding(connections: MysqlConnections): Promise<Finding> {
  const subject = 'observe.exact';
  if (await isAllowed(() => connections.query(countStatement, ['', 0])))
    return ok(subject, 'VMs can be counted alone');
  return {
    level: 'warning',
    subject,
    message: 'forewarm.count_alone cannot be called: VMs are told apart by their statements alone',
    remedy: 'Run sql/mysql/setup.sql on the primary.',
  };
}

const ok = (subject: string, message: string): Finding => ({ level: 'ok', subject, message });

const clockToleranceMs = 2_000;

function clockFinding(clock: {
  readonly serverMs: number;
  readonly startedMs: number;
  readonly endedMs: number;
}): Finding {
  const apartMs = Math.max(clock.startedMs - clock.serverMs, clock.serverMs - clock.endedMs, 0);
  if (apartMs <= clockToleranceMs) return ok('clock', "the server's clock is not apart from this one");
  return {
    level: 'fault',
    subject: 'clock',
    message: `the server's clock is ${(apartMs / 1_000).toFixed(1)} s apart from this host's`,
    remedy: 'Run an NTP client (chronyd, systemd-timesyncd) on both hosts.',
  };
}

function settingFindings(settings: Settings, dialect: Dialect): Finding[] {
  const findings: Finding[] = [];
  if (Number(settings.performanceSchema) === 1) findings.push(ok('performance_schema', 'it is on'));
  else {
    findings.push({
      level: 'warning',
      subject: 'performance_schema',
      message: 'it is off: what a VM reads is told from the list of processes alone, by table, coarsely',
      remedy: `performance_schema = ON in the configuration of ${dialect.title}, and a restart`,
    });
  }
  if (Number(settings.oldBlocksTimeMs) === 0) {
    findings.push({
      level: 'warning',
      subject: 'innodb_old_blocks_time',
      message: 'it is 0: one scan can throw the whole pool out',
      remedy: 'SET GLOBAL innodb_old_blocks_time = 1000;',
    });
  }
  return findings;
}

async function databaseFindings(connections: MysqlConnections): Promise<Finding[]> {
  const { databases } = connections;
  if (databases.length === 0) {
    return [
      {
        level: 'fault',
        subject: 'databases',
        message: 'database.url and database.databases name none',
        remedy: 'database: { databases: [app] }',
      },
    ];
  }
  const present = await connections.query<{ name: string }>(databasesStatement, [databases]);
  return databases.map((database) => {
    const subject = `database "${database}"`;
    if (present.some(({ name }) => name === database)) return ok(subject, 'it is here and may be read');
    const other = present.find(({ name }) => name.toLowerCase() === database.toLowerCase());
    if (other !== undefined) {
      return {
        level: 'fault',
        subject,
        message: `this server calls it "${other.name}", and by that name its statistics know it`,
        remedy: `database: { databases: [${JSON.stringify(other.name)}] }`,
      };
    }
    return {
      level: 'fault',
      subject,
      message: 'it is not here, or the user may not read it',
      remedy: `GRANT SELECT ON \`${database.replaceAll('`', '``')}\`.* TO forewarm; -- on the primary`,
    };
  });
}

async function statementFinding(connections: MysqlConnections): Promise<Finding> {
  const subject = 'statements';
  let missing: readonly string[] = [];
  const allowed = await isAllowed(async () => {
    missing = await missingConsumers(connections);
  });
  if (!allowed) {
    return {
      level: 'fault',
      subject,
      message: 'without SELECT on performance_schema what a VM reads is not known',
      remedy: 'GRANT SELECT ON performance_schema.* TO forewarm; -- on the primary',
    };
  }
  if (missing.length === 0) return ok(subject, 'statements of sessions are seen');
  const names = missing.map((name) => `'${name}'`).join(', ');
  return {
    level: 'warning',
    subject,
    message: `consumers of performance_schema are off (${missing.join(', ')}): what a VM reads is told coarsely`,
    remedy:
      `UPDATE performance_schema.setup_consumers SET ENABLED = 'YES' WHERE NAME IN (${names});` +
      '\nand performance_schema_consumer_NAME = ON for each in the configuration, for the next start',
  };
}

/** From this part of a pool on, what its server keeps free leaves too little for a VM. */
const mostKeptFree = 0.25;
const leastScanDepth = 100;

async function keptFreeFindings(connections: MysqlConnections): Promise<Finding[]> {
  let row: Record<'instances' | 'poolPages' | 'scanDepth', number | string> | undefined;
  // Without the right to see the pool there is a finding of its own.
  const allowed = await isAllowed(async () => {
    [row] = await connections.query<NonNullable<typeof row>>(keptFreeStatement);
  });
  if (!allowed || row === undefined || Number(row.instances) === 0) return [];
  const subject = 'innodb_lru_scan_depth';
  const pages = Number(row.poolPages) / Number(row.instances);
  const depth = Number(row.scanDepth);
  if (depth <= pages * mostKeptFree) return [ok(subject, 'the server keeps little of its pool free')];
  const proposed = Math.max(leastScanDepth, Math.floor(pages / 16));
  if (proposed >= depth) return [];
  return [
    {
      level: 'warning',
      subject,
      message: `the server keeps up to ${depth} of each ${pages} pages of its pool free: a full pool is warmed by little or nothing`,
      remedy: `SET GLOBAL innodb_lru_scan_depth = ${proposed}; -- and in the configuration`,
    },
  ];
}

interface Need {
  readonly subject: string;
  readonly level: Finding['level'];
  readonly has: string;
  readonly lacks: string;
  readonly remedy: string;
}

async function privilegeFindings(connections: MysqlConnections, dialect: Dialect): Promise<Finding[]> {
  const privileges = await readPrivileges(connections);
  const may = (statement: SqlStatement, params: readonly unknown[] = []) =>
    isAllowed(() => connections.query(statement, params));
  const replication = await new ReplicationReader(connections).read();
  const needs: [boolean, Need][] = [
    [
      privileges.seesPool,
      {
        subject: 'pool',
        level: 'fault',
        has: 'the pool is seen',
        lacks: 'without PROCESS neither the pool nor the sessions of others are seen',
        remedy: 'GRANT PROCESS ON *.* TO forewarm; -- on the primary',
      },
    ],
    [
      await may(sizesStatement, ['']),
      {
        subject: 'sizes',
        level: 'warning',
        has: 'sizes of indexes are known',
        lacks: 'without mysql.innodb_index_stats the sizes of secondary indexes are guessed',
        remedy: 'GRANT SELECT ON mysql.innodb_index_stats TO forewarm; -- on the primary',
      },
    ],
    [
      replication.known,
      {
        subject: 'replication',
        level: 'fault',
        has: replication.replica
          ? replication.running
            ? 'changes come in and are applied'
            : 'it is stopped or broken: this replica is not ready for any VM'
          : 'this is no replica',
        lacks: `without ${dialect.replicaPrivilege} the lag is not known`,
        remedy: `GRANT ${dialect.replicaPrivilege} ON *.* TO forewarm; -- on the primary`,
      },
    ],
    [
      privileges.admits,
      {
        subject: 'full pool',
        level: 'warning',
        has: 'pages that are read into a full pool are kept',
        lacks:
          'forewarm.admit_new_pages cannot be called: half of what is read into a full pool is lost again',
        remedy: 'Run sql/mysql/setup.sql on the primary.',
      },
    ],
  ];
  return needs.map(([holds, need]) => {
    const stopped = need.subject === 'replication' && replication.replica && !replication.running;
    if (holds) return { level: stopped ? 'fault' : 'ok', subject: need.subject, message: need.has };
    return { level: need.level, subject: need.subject, message: need.lacks, remedy: need.remedy };
  });
}
