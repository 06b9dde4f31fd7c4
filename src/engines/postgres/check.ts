import { describeError, ForewarmError } from '../../lib/errors.ts';
import type { Finding } from '../engine.ts';
import { checkDatabase } from './check-database.ts';
import { checkSettings, type ServerSettings } from './check-settings.ts';
import type { PostgresConnections } from './connections.ts';
import { readPrivileges } from './privileges.ts';
import { sqlStatement } from './sql.ts';
import { oldestVersion } from './versions.ts';

const settingsStatement = sqlStatement('check-settings');

/** Everything that the agent needs of this server, all faults at once; never rejects. */
export async function check(connections: PostgresConnections): Promise<Finding[]> {
  let settings: ServerSettings | undefined;
  const startedMs = Date.now();
  try {
    [settings] = await connections.query<ServerSettings>(connections.mainDatabase, settingsStatement);
  } catch (error) {
    return [unreachable(error, connections.mainDatabase)];
  }
  const endedMs = Date.now();
  if (settings === undefined) return [unreachable(new Error('no answer'), connections.mainDatabase)];
  const findings: Finding[] = [
    { level: 'ok', subject: 'connection', message: `PostgreSQL ${settings.version} answers` },
    checkVersion(settings),
    ...checkSettings(settings, { startedMs, endedMs }),
  ];
  connections.refreshExtensions();
  for (const database of connections.databases) {
    try {
      const privileges = await readPrivileges(connections, database);
      findings.push(...checkDatabase(privileges, { database, standby: settings.in_recovery }));
    } catch (error) {
      findings.push(unreachable(error, database));
    }
  }
  return findings;
}

function checkVersion(settings: ServerSettings): Finding {
  const subject = 'version';
  if (settings.version_num >= oldestVersion) {
    return { level: 'ok', subject, message: `version ${settings.version} is supported` };
  }
  return {
    level: 'fault',
    subject,
    message: `PostgreSQL ${settings.version} is older than 14`,
    remedy: 'Upgrade the server to PostgreSQL 14 or later.',
  };
}

function unreachable(error: unknown, database: string): Finding {
  const hint = error instanceof ForewarmError ? error.hint : undefined;
  return {
    level: 'fault',
    subject: `database "${database}"`,
    message: describeError(error).message,
    ...(hint === undefined ? {} : { remedy: hint }),
  };
}
