import { ForewarmError } from '../../lib/errors.ts';
import type { ServerIdentity } from '../engine.ts';
import type { PostgresConnections } from './connections.ts';
import { type Privileges, readPrivileges } from './privileges.ts';
import { pieceOf } from './readings.ts';
import { sqlStatement } from './sql.ts';
import { featuresOf, oldestVersion, type PostgresFeatures } from './versions.ts';

const identityStatement = sqlStatement('identity');

/** A server's identity with what only this engine needs. */
export interface PostgresIdentity extends ServerIdentity {
  readonly versionNum: number;
  readonly features: PostgresFeatures;
  /** Adjacent blocks that one system call can read. */
  readonly combineBlocks: number;
  /** By database. */
  readonly privileges: ReadonlyMap<string, Privileges>;
}

interface Row {
  readonly version: string;
  readonly version_num: number;
  readonly system_id: string;
  readonly pool_blocks: number;
  readonly block_bytes: number;
  readonly combine_blocks: number | null;
  readonly in_recovery: boolean;
  readonly databases: string[];
}

/** Reads everything anew, also which extensions there are. Errors: `database_*`, `config_invalid`. */
export async function identify(connections: PostgresConnections): Promise<PostgresIdentity> {
  const [row] = await connections.query<Row>(connections.mainDatabase, identityStatement, [
    connections.databases,
  ]);
  if (row === undefined) throw new ForewarmError('internal', 'the identity statement gave no row');
  if (row.version_num < oldestVersion) {
    throw new ForewarmError('database_unsupported', `${connections.replica} runs PostgreSQL ${row.version}`, {
      hint: 'Forewarm needs PostgreSQL 14 or later.',
    });
  }
  connections.refreshExtensions();
  const privileges = new Map<string, Privileges>();
  const degraded: string[] = [];
  for (const database of connections.databases) {
    if (!row.databases.includes(database)) {
      degraded.push(
        `database "${database}" does not exist on this server: nothing of it is watched or warmed`,
      );
      continue;
    }
    const known = await readPrivileges(connections, database);
    privileges.set(database, known);
    degraded.push(...costsOf(known, database));
  }
  const known = [...privileges.values()];
  const canWarm = known.some((database) => database.readsAll || database.superuser);
  const prewarms = known.every((database) => database.can('pg_prewarm'));
  const means = !canWarm ? 'none' : prewarms ? 'pg_prewarm' : 'scan';
  return {
    kind: 'postgres',
    version: row.version,
    versionNum: row.version_num,
    features: featuresOf(row.version_num),
    combineBlocks: row.combine_blocks ?? 1,
    systemId: row.system_id,
    poolBlocks: row.pool_blocks,
    blockBytes: row.block_bytes,
    ...(means === 'pg_prewarm' ? pieceOf(row.combine_blocks ?? 1) : {}),
    databases: [...privileges.keys()],
    replica: row.in_recovery,
    means,
    canWarm,
    degraded,
    privileges,
  };
}

/** What the lack of something costs, in words. */
function costsOf(known: Privileges, database: string): string[] {
  const lacks: [boolean, string][] = [
    [!known.readsAll, 'the role may not read all data: relations it cannot SELECT from are not warmed'],
    [!known.monitors, 'the role lacks pg_monitor: neither the pool nor the sessions of others are seen'],
    [
      !known.can('pg_buffercache'),
      'pg_buffercache is missing: whole relations are warmed instead of the cached blocks',
    ],
    [!known.can('pg_prewarm'), 'pg_prewarm is missing: blocks are read by scans, indexes less exactly'],
    [!known.has('pg_stat_statements'), 'pg_stat_statements is missing: what a VM reads is not known here'],
  ];
  return lacks.filter(([holds]) => holds).map(([, words]) => `database "${database}": ${words}`);
}
