import { ForewarmError } from '../../lib/errors.ts';
import type { ServerIdentity } from '../engine.ts';
import type { MysqlConnections } from './connections.ts';
import { readPrivileges } from './privileges.ts';
import { ReplicationReader } from './replication.ts';
import { sqlStatement } from './sql.ts';

const identityStatement = sqlStatement('identity');
const databasesStatement = sqlStatement('databases');

export interface MysqlIdentity extends ServerIdentity {
  readonly kind: 'mariadb' | 'mysql';
  /** How long a new page must stay in the old sublist before a further access makes it young. */
  readonly oldBlocksTimeMs: number;
  /** May call the procedure that lets new pages in as young ones for a while. */
  readonly admits: boolean;
}

interface Row {
  readonly poolBytes: number | string;
  readonly pageBytes: number | string;
  readonly oldBlocksTimeMs: number | string;
  readonly performanceSchema: number | string;
}

/** Reads everything anew. Errors: `database_*`, `config_invalid`. */
export async function identify(connections: MysqlConnections): Promise<MysqlIdentity> {
  connections.refresh();
  const { dialect, version } = await connections.server();
  const [row] = await connections.query<Row>(identityStatement);
  if (row === undefined) throw new ForewarmError('internal', 'the identity statement gave no row');
  if (connections.databases.length === 0) {
    throw new ForewarmError('config_invalid', 'database.url and database.databases name no database', {
      hint: 'Name those whose tables are to be warmed in database.databases.',
    });
  }
  const present = await connections.query<{ name: string }>(databasesStatement, [connections.databases]);
  const databases = connections.databases.filter((one) => present.some(({ name }) => name === one));
  const privileges = await readPrivileges(connections);
  const degraded = connections.databases
    .filter((one) => !databases.includes(one))
    .map((one) => `database "${one}" is not there, or the user may not read it: nothing of it is warmed`);
  if (!privileges.seesPool) {
    degraded.push('the user lacks PROCESS: neither the pool nor the sessions of others are seen');
  }
  if (Number(row.performanceSchema) === 0) {
    degraded.push('performance_schema is off: what a VM reads is told from the list of processes alone');
  }
  const { known, replica } = await new ReplicationReader(connections).read();
  if (!known) degraded.push(`the user lacks ${dialect.replicaPrivilege}: replication lag is not known`);
  if (!privileges.admits) {
    degraded.push(
      'forewarm.admit_new_pages cannot be called: into a full pool, half of what is warmed stays',
    );
  }
  const pageBytes = Number(row.pageBytes);
  return {
    kind: dialect.kind,
    version,
    // Pages of equal number hold equal rows only in physical copies, which nothing here proves.
    systemId: '',
    poolBlocks: Math.round(Number(row.poolBytes) / pageBytes),
    blockBytes: pageBytes,
    databases,
    replica,
    means: databases.length > 0 ? 'key ranges' : 'none',
    canWarm: databases.length > 0,
    degraded,
    oldBlocksTimeMs: Number(row.oldBlocksTimeMs),
    admits: privileges.admits,
  };
}
