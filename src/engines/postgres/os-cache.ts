import { type BlockRanges, BlockRangesBuilder, emptyRanges, union } from '../../planning/block-ranges.ts';
import type { Fork } from '../../planning/work-set.ts';
import type { CatalogRelation } from './catalog.ts';
import type { PostgresConnections } from './connections.ts';
import type { PostgresIdentity } from './identity.ts';
import { sqlStatement } from './sql.ts';

const osCacheStatement = sqlStatement('os-cache');

type ByFork = ReadonlyMap<Fork, BlockRanges>;

interface Row {
  readonly i: number;
  readonly segment: number;
  readonly page_bytes: number;
  readonly bits: string;
  readonly segment_blocks: number;
}

/**
 * `resident` with the blocks added, at heat 0, that only the OS page cache holds; undefined where a database
 * has no pgfincore, for then the second tier is unknown.
 */
export async function withOsCache(
  connections: PostgresConnections,
  identity: PostgresIdentity,
  options: {
    readonly found: readonly (CatalogRelation & { readonly database: string })[];
    readonly resident: ReadonlyMap<number, ByFork>;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<ReadonlyMap<number, ByFork> | undefined> {
  const { found, resident, signal } = options;
  const databases = [...new Set(found.map((relation) => relation.database))];
  if (!databases.every((database) => identity.privileges.get(database)?.can('pgfincore'))) return undefined;
  const answers = await Promise.all(
    databases.map((database) => {
      const indexes = found.flatMap((relation, index) =>
        // A relation that is locked exclusively has no sizes, and would make the whole statement wait.
        relation.database === database && relation.forkBlocks !== undefined ? [index] : [],
      );
      const params = [indexes, indexes.map((index) => found[index]!.oid)];
      return connections.query<Row>(database, osCacheStatement, params, { purpose: 'walk', signal });
    }),
  );
  const builders = new Map<number, BlockRangesBuilder>();
  for (const row of answers.flat()) {
    const builder = builders.get(row.i) ?? new BlockRangesBuilder();
    builders.set(row.i, builder);
    const pagesPerBlock = Math.max(1, identity.blockBytes / row.page_bytes);
    addCachedBlocks(builder, { bits: row.bits, pagesPerBlock, firstBlock: row.segment * row.segment_blocks });
  }
  return new Map(
    found.map((_, index) => {
      const forks = new Map(resident.get(index));
      const cached = builders.get(index)?.build() ?? emptyRanges;
      forks.set('main', union(forks.get('main') ?? emptyRanges, cached));
      return [index, forks];
    }),
  );
}

/** Adds the blocks all of whose pages are cached, at heat 0. */
export function addCachedBlocks(
  builder: BlockRangesBuilder,
  segment: { readonly bits: string; readonly pagesPerBlock: number; readonly firstBlock: number },
): void {
  const { bits, pagesPerBlock, firstBlock } = segment;
  const blocks = Math.floor(bits.length / pagesPerBlock);
  const cached = (block: number) => {
    for (let page = block * pagesPerBlock; page < (block + 1) * pagesPerBlock; page++) {
      if (bits.charCodeAt(page) !== 49) return false;
    }
    return true;
  };
  for (let from = 0; from < blocks; from++) {
    if (!cached(from)) continue;
    let to = from + 1;
    while (to < blocks && cached(to)) to += 1;
    builder.add(firstBlock + from, to - from, 0);
    from = to;
  }
}
