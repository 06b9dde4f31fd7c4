import { readFileSync } from 'node:fs';
import type { Engine, LocalRelation, RelationMatch } from '../../src/engines/engine.ts';
import { createPostgresEngine } from '../../src/engines/postgres/engine.ts';
import type { PostgresCluster } from '../../src/lab/postgres-cluster.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { ForewarmError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { ProfileRelation } from '../../src/messages/profile.ts';
import { relationKey, type WorkSet } from '../../src/planning/work-set.ts';

/** The statements of sql/postgres/setup.sql, for a cluster's `load`. */
export const setupSql = readFileSync(new URL('../../sql/postgres/setup.sql', import.meta.url), 'utf8');

/** The version that is tested. */
export const major = Number(process.env['TEST_PG_MAJOR'] ?? 18);

/** Vacuum at the primary would bring blocks into the standbys' pools while tests count them. */
export const quiet = { autovacuum: 'off' };

/** An engine on a server, as an agent has it. */
export function engineAt(
  server: PostgresServer,
  { role = 'forewarm', databases = [] }: { readonly role?: string; readonly databases?: string[] } = {},
): Engine {
  return engineBy(server.name, server.url({ role }), databases);
}

/** An engine on an address. */
export function engineBy(replica: string, url: string, databases: string[] = []): Engine {
  return createPostgresEngine({
    ...{ replica, url, databases, vms: [] },
    statementTimeoutMs: 10_000,
    logger: silentLogger,
  });
}

export function profiled(name: string, more: Partial<ProfileRelation> = {}): ProfileRelation {
  return { database: 'app', schema: 'public', name, kind: 'table', weight: 1, share: 0.1, ...more };
}

export async function matchOne(engine: Engine, workSet: WorkSet, name: string): Promise<RelationMatch> {
  const match = (await engine.match(workSet)).find(
    ({ wanted }) => wanted.name === name && wanted.fork === 'main',
  );
  if (match === undefined) throw new Error(`${name} is not in the work set`);
  return match;
}

export async function residentAt(engine: Engine, relation: LocalRelation) {
  const { resident } = await engine.poolState([relation]);
  return resident.get(relationKey(relation))!;
}

/** The code that work failed with, or `none`. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof ForewarmError ? error.code : String(error)),
  );
}

/** Pools without our tables: a standby that starts would replay into its pool what no restart point covers. */
export async function restartCold(cluster: PostgresCluster): Promise<void> {
  await cluster.primary.query('CHECKPOINT');
  await cluster.waitForReplay();
  for (const server of cluster.replicas) {
    await server.query('CHECKPOINT');
    await server.restart();
  }
}
