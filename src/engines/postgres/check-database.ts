import type { Finding } from '../engine.ts';
import type { Privileges } from './privileges.ts';
import { quoteIdentifier } from './sql.ts';

const extensions: readonly {
  readonly name: string;
  readonly level: 'fault' | 'warning';
  readonly cost: string;
  readonly grants: string;
}[] = [
  {
    name: 'pg_prewarm',
    level: 'fault',
    cost: 'blocks are read by scans instead, indexes less exactly',
    grants: 'FUNCTION pg_prewarm(regclass, text, text, int8, int8)',
  },
  {
    name: 'pg_buffercache',
    level: 'fault',
    cost: 'whole relations are warmed instead of the cached blocks',
    grants: 'FUNCTION pg_buffercache_pages()',
  },
  {
    name: 'pg_stat_statements',
    level: 'fault',
    cost: 'what a VM reads in this database is not known',
    grants: '',
  },
  {
    name: 'pgfincore',
    level: 'warning',
    cost: 'the second tier, blocks that only the OS page cache holds, is unknown',
    grants: 'FUNCTION pgfincore(regclass, text, boolean)',
  },
];

/** For a POSIX shell, and for SQL. */
const quoteWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const quoteLiteral = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Pure: the findings on one database; on a standby, remedies say where they are to be run. */
export function checkDatabase(
  privileges: Privileges,
  where: { readonly database: string; readonly standby: boolean },
): Finding[] {
  const subject = `database "${where.database}"`;
  const place = where.standby ? ` -- on the primary, in database ${where.database}` : '';
  const role = quoteIdentifier(privileges.role);
  const findings: Finding[] = [];
  for (const { name, level, cost, grants } of extensions) {
    if (!privileges.has(name)) {
      findings.push({
        level,
        subject,
        message: `extension ${name} is missing: ${cost}`,
        remedy: `CREATE EXTENSION ${name};${place}`,
      });
    } else if (!privileges.can(name)) {
      findings.push({
        level,
        subject,
        message: `${privileges.role} may not execute ${name}: ${cost}`,
        remedy: `GRANT EXECUTE ON ${grants} TO ${role};${place}`,
      });
    }
  }
  if (!privileges.readsThrough) {
    findings.push({
      level: 'warning',
      subject,
      message:
        'forewarm.read_through is missing: slow disks are warmed slower, and before PostgreSQL 17 more is read than is asked for',
      remedy: `psql -d ${quoteWord(where.database)} -c ${quoteWord(`SET forewarm.role = ${quoteLiteral(privileges.role)}`)} -f sql/postgres/setup.sql # as a superuser${where.standby ? ', on the primary' : ''}; managed services have none`,
    });
  }
  if (privileges.superuser) {
    findings.push({
      level: 'warning',
      subject,
      message: `${privileges.role} is a superuser: more than Forewarm needs`,
      remedy: 'Make a role with sql/postgres/setup.sql, and use it in database.url.',
    });
  } else {
    const memberships: [boolean, string, string][] = [
      [privileges.monitors, 'pg_monitor', 'the sessions of others, statements and the pool are not seen'],
      [privileges.readsAll, 'pg_read_all_data', 'relations cannot be warmed'],
    ];
    for (const [holds, group, cost] of memberships) {
      if (holds) continue;
      findings.push({
        level: 'fault',
        subject,
        message: `${privileges.role} is not a member of ${group}: ${cost}`,
        remedy: `GRANT ${group} TO ${role};${place}`,
      });
    }
  }
  if (findings.every((finding) => finding.level !== 'fault')) {
    findings.unshift({ level: 'ok', subject, message: 'extensions and privileges suffice' });
  }
  return findings;
}
