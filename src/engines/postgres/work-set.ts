import type { ProfileRelation } from '../../messages/profile.ts';
import { type BlockRanges, blockCount, emptyRanges } from '../../planning/block-ranges.ts';
import type { Fork, WorkSet, WorkSetRelation } from '../../planning/work-set.ts';
import { worthWarming } from '../../planning/worth-warming.ts';
import { type CatalogRelation, lookUpRelations } from './catalog.ts';
import type { PostgresConnections } from './connections.ts';
import type { PostgresIdentity } from './identity.ts';
import { withOsCache } from './os-cache.ts';
import { poolViewDatabase, type Storage, walkPool } from './pool-walk.ts';
import { hottest, type SessionCatalog, type SessionCatalogs } from './session-catalogs.ts';

/** See `worthWarming`; of block accesses. */
const leastDensity = 0.01;

/**
 * The cached blocks of those relations with heat, and the hottest of the catalogs that new sessions read in their
 * databases; a profile's relations that are not here are left out.
 */
export async function readWorkSet(
  connections: PostgresConnections,
  identity: PostgresIdentity,
  options: {
    readonly vm: string;
    readonly relations: readonly ProfileRelation[];
    readonly catalogs: SessionCatalogs;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<WorkSet> {
  const { relations, catalogs, signal } = options;
  const found = (await lookUpRelations(connections, relations, { blockBytes: identity.blockBytes, signal }))
    .filter((relation) => relation.storage !== undefined)
    .map((relation) => ({ ...relation, database: relations[relation.index]!.database }));
  const database = poolViewDatabase(identity);
  const beside = database === undefined || found.length === 0 ? [] : await catalogs.beside(relations);
  const resident =
    database === undefined
      ? undefined
      : (
          await walkPool(connections, identity, {
            database,
            storages: [...found, ...beside].map((relation) => relation.storage as Storage),
            counts: false,
            signal,
          })
        ).resident;
  const secondTier = resident && (await withOsCache(connections, identity, { found, resident, signal }));
  const touched = found.map((relation, index) => {
    const forks = forksOf(relation, relations[relation.index]!, (secondTier ?? resident)?.get(index));
    const sizeOf = (fork: WorkSetRelation) =>
      resident === undefined ? fork.sizeBlocks : blockCount(fork.ranges);
    const blocks = forks.reduce((sum, fork) => sum + sizeOf(fork), 0);
    return { forks, blocks, share: relations[relation.index]!.share };
  });
  const pieces = worthWarming(touched, leastDensity).flatMap(({ forks }) => forks);
  const held = beside.map((_, index) => resident?.get(found.length + index));
  const hot = hottest(held, identity.poolBlocks).flatMap((ranges, index) =>
    ranges.starts.length === 0 ? [] : [catalogPart(beside[index]!, ranges)],
  );
  return {
    vm: options.vm,
    source: connections.replica,
    systemId: identity.systemId,
    blockBytes: identity.blockBytes,
    takenAt: new Date().toISOString(),
    blocksKnown: resident !== undefined,
    secondTier: secondTier === undefined ? 'unknown' : 'measured',
    relations: [...pieces, ...hot],
  };
}

/** The main fork always, for its size and share serve where blocks do not; others where they are cached. */
function forksOf(
  relation: CatalogRelation,
  profiled: ProfileRelation,
  resident: ReadonlyMap<Fork, BlockRanges> | undefined,
): WorkSetRelation[] {
  const { database, schema, name, kind, parent } = profiled;
  const ranges = new Map<Fork, BlockRanges>([['main', emptyRanges], ...(resident ?? [])]);
  return [...ranges].map(([fork, held]) => ({
    database,
    schema,
    name,
    kind,
    ...(parent === undefined ? {} : { parent }),
    fork,
    filenode: relation.filenode,
    sizeBlocks: Math.max(relation.forkBlocks?.[fork] ?? 0, endOf(held)),
    share: profiled.share,
    ranges: held,
  }));
}

function catalogPart({ oid: _, storage: __, ...ref }: SessionCatalog, ranges: BlockRanges): WorkSetRelation {
  return { ...ref, fork: 'main', catalog: true, sizeBlocks: endOf(ranges), share: 0, ranges };
}

function endOf({ starts, lengths }: BlockRanges): number {
  const last = starts.length - 1;
  return last < 0 ? 0 : starts[last]! + lengths[last]!;
}
