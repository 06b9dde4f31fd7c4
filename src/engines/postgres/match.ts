import type { WorkSet, WorkSetRelation } from '../../planning/work-set.ts';
import type { LocalRelation, RelationMatch } from '../engine.ts';
import { type CatalogRelation, lookUpRelations } from './catalog.ts';
import type { PostgresConnections } from './connections.ts';
import type { PostgresIdentity } from './identity.ts';
import type { SessionCatalogs } from './session-catalogs.ts';

interface Here {
  readonly connections: PostgresConnections;
  readonly identity: PostgresIdentity;
  readonly catalogs: SessionCatalogs;
}

/**
 * Where each of a work set's relations stands here; one statement for each database. Catalogs whose blocks do not
 * hold here, or may not be read, are left out: nobody misses them.
 */
export async function matchWorkSet(here: Here, workSet: WorkSet): Promise<RelationMatch[]> {
  const { connections, identity } = here;
  const asked = workSet.relations.filter(({ catalog }) => catalog !== true);
  const found = await lookUpRelations(connections, asked, { blockBytes: identity.blockBytes });
  const byIndex = new Map(found.map((relation) => [relation.index, relation]));
  const matches = asked.map((wanted, index) =>
    judge({ wanted, local: byIndex.get(index), workSet, identity, configured: connections.databases }),
  );
  const ofCatalogs = await Promise.all(
    workSet.relations
      .filter(({ catalog }) => catalog === true)
      .map((wanted) => catalogMatch(here, wanted, workSet)),
  );
  return [...matches, ...ofCatalogs.filter((match) => match !== undefined)];
}

async function catalogMatch(
  { catalogs, identity }: Here,
  wanted: WorkSetRelation,
  workSet: WorkSet,
): Promise<RelationMatch | undefined> {
  const privileges = identity.privileges.get(wanted.database);
  if (privileges === undefined || !(privileges.readsAll || privileges.superuser)) return undefined;
  if (!privileges.can('pg_prewarm')) return undefined;
  const local = await catalogs.find(wanted);
  if (local === undefined || whyNotBlocks(wanted, local, workSet, identity) !== undefined) return undefined;
  const { storage: _, ...ref } = local;
  return {
    ...{ wanted, verdict: 'blocks', how: 'of the catalogs, which new sessions read' },
    local: { ...ref, fork: wanted.fork, sizeBlocks: wanted.sizeBlocks },
  };
}

interface Case {
  readonly wanted: WorkSetRelation;
  readonly local: CatalogRelation | undefined;
  readonly workSet: Pick<WorkSet, 'systemId' | 'blockBytes' | 'blocksKnown'>;
  readonly identity: Pick<PostgresIdentity, 'systemId' | 'blockBytes' | 'replica'>;
  readonly configured: readonly string[];
}

/** Pure: a block list holds where the cluster, the block size and the filenode are the same. */
export function judge({ wanted, local, workSet, identity, configured }: Case): RelationMatch {
  const absent = (reason: string): RelationMatch => ({ wanted, verdict: 'absent', reason });
  if (!configured.includes(wanted.database)) {
    return absent(`database "${wanted.database}" is not in the configuration of this replica`);
  }
  if (local === undefined) return absent('there is no relation of that name here');
  if (local.storage === undefined) return absent('it has no storage here');
  if (local.persistence === 't') return absent('it is temporary here');
  if (local.persistence === 'u' && identity.replica) return absent('it is unlogged: empty on a standby');
  const relation: LocalRelation = {
    database: wanted.database,
    schema: wanted.schema,
    name: wanted.name,
    kind: wanted.kind,
    ...(wanted.parent === undefined ? {} : { parent: wanted.parent }),
    fork: wanted.fork,
    oid: local.oid,
    filenode: local.filenode,
    sizeBlocks: local.forkBlocks?.[wanted.fork] ?? wanted.sizeBlocks,
  };
  const reason = whyNotBlocks(wanted, local, workSet, identity);
  return reason === undefined
    ? { wanted, verdict: 'blocks', local: relation }
    : { wanted, verdict: 'relation', local: relation, reason };
}

function whyNotBlocks(
  wanted: WorkSetRelation,
  local: Pick<CatalogRelation, 'filenode'>,
  workSet: Case['workSet'],
  identity: Case['identity'],
): string | undefined {
  if (!workSet.blocksKnown) return 'the source could not see its pool';
  if (workSet.systemId === '' || workSet.systemId !== identity.systemId) {
    return 'the source is of another cluster (a logical replica): its block numbers mean nothing here';
  }
  if (workSet.blockBytes !== identity.blockBytes) return 'the source has another block size';
  if (wanted.filenode !== local.filenode) {
    return `it was rewritten: file ${wanted.filenode} at the source, ${local.filenode} here`;
  }
  return undefined;
}
