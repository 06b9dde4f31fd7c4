import { performance } from 'node:perf_hooks';
import type { ProfileRelation } from '../../messages/profile.ts';
import { blockCount } from '../../planning/block-ranges.ts';
import type { WorkSet, WorkSetRelation } from '../../planning/work-set.ts';
import { worthWarming } from '../../planning/worth-warming.ts';
import { type CachedPagesReader, cachedKey } from './cached-pages.ts';
import type { MysqlConnections } from './connections.ts';
import { EvenParts } from './even-parts.ts';
import { type HotPart, hotPart, isPartly, means } from './hot-part.ts';
import type { MysqlIdentity } from './identity.ts';
import { scaled } from './match.ts';
import { indexNameOf, refOf } from './names.ts';
import { divideOverflow } from './overflow.ts';
import { readIndexes, type StoredIndex } from './stored-indexes.ts';
import { canFind, type Surveys } from './surveys.ts';

/** See `worthWarming`; of rows: a scan counts hundreds for a page, and a lookup one. */
const leastDensity = 0.0001;

/**
 * How much of the profile's indexes the pool holds, partition by partition. Blocks are places in key order, not
 * page numbers: they mean the same on every copy of the rows.
 */
export async function readWorkSet(
  connections: MysqlConnections,
  identity: MysqlIdentity,
  options: {
    readonly vm: string;
    readonly relations: readonly ProfileRelation[];
    readonly pool: CachedPagesReader;
    readonly surveys: Surveys;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<WorkSet> {
  const { relations, signal, vm, pool, surveys } = options;
  const named = relations.flatMap((relation) => {
    const name = indexNameOf(relation);
    return name === undefined ? [] : [{ ...name, share: relation.share }];
  });
  const listed = await readIndexes(connections, named, { pageBytes: identity.blockBytes, signal });
  const stored = await divideOverflow(connections, listed, signal);
  const cached = await pool.read(stored, signal);
  const countOf = (one: StoredIndex) => cached.get(cachedKey(one)) ?? 0;
  const touched = worthWarming(
    named.map((profiled) => {
      const trees = stored.filter((one) => sameTree(one, profiled));
      const blocks = trees.reduce((sum, one) => sum + countOf(one), 0);
      return { share: profiled.share, trees, blocks };
    }),
    leastDensity,
  );
  const parts = await findParts(
    touched.flatMap(({ trees }) => trees),
    countOf,
    { surveys, signal },
  );
  const pieces = touched.flatMap(({ share, trees, blocks }) =>
    trees.map((one) =>
      pieceOf(one, parts.get(one)!, blocks > 0 ? (share * countOf(one)) / blocks : share / trees.length),
    ),
  );
  return {
    vm,
    source: connections.replica,
    systemId: identity.systemId,
    blockBytes: identity.blockBytes,
    takenAt: new Date().toISOString(),
    blocksKnown: true,
    // The pool is read and written past the OS cache.
    secondTier: 'measured',
    relations: pieces,
  };
}

const sameTree = (
  stored: StoredIndex,
  wanted: { readonly database: string; readonly table: string; readonly index: string | undefined },
): boolean =>
  stored.database === wanted.database && stored.table === wanted.table && stored.index === wanted.index;

const samePartition = (a: StoredIndex, b: StoredIndex): boolean => a.partition === b.partition;

const sizeOf = (one: StoredIndex, count: number): number => Math.max(one.pages, count);

/** What lies outside of the rows is wanted where the rows are, unless the source holds most of it. */
function overflowPart(
  size: number,
  count: number,
  rows: { readonly part: HotPart; readonly size: number } | undefined,
): HotPart {
  if (rows?.part.means !== means.probed || !isPartly(count, size)) return hotPart(count, size, []);
  return { ...rows.part, ranges: scaled(rows.part.ranges, rows.size, size), means: means.rows };
}

/** Surveys the biggest first, and each within its part of the time that is left. */
async function findParts(
  stored: readonly StoredIndex[],
  countOf: (one: StoredIndex) => number,
  { surveys, signal }: { readonly surveys: Surveys; readonly signal: AbortSignal | undefined },
): Promise<ReadonlyMap<StoredIndex, HotPart>> {
  const parts = new Map<StoredIndex, HotPart>();
  const partly: StoredIndex[] = [];
  for (const one of new Set(stored)) {
    const count = countOf(one);
    if (one.overflow) continue;
    const size = sizeOf(one, count);
    // What questions have brought is nobody's.
    const own = surveys.ownPages(one);
    const isAsked = own > 0 || canFind(count, size);
    if (isAsked && (isPartly(count - own, size) || isPartly(count, size))) partly.push(one);
    else parts.set(one, hotPart(count - own, size, []));
  }
  partly.sort((a, b) => countOf(b) - countOf(a));
  const endMs = performance.now() + surveys.workSetMs;
  const evenParts = new EvenParts();
  for (const [at, one] of partly.entries()) {
    const count = countOf(one);
    const size = sizeOf(one, count);
    const alike = evenParts.partOf(one, (count - surveys.ownPages(one)) / size, size);
    if (alike !== undefined) {
      parts.set(one, alike);
      continue;
    }
    const forMs = Math.max(0, endMs - performance.now()) / Math.min(2, partly.length - at);
    const { count: others, cells, places } = await surveys.whole(one, count, { forMs, signal });
    const found = hotPart(others, size, cells, places !== undefined);
    const part = found.means === means.probed && places !== undefined ? { ...found, places } : found;
    parts.set(one, part);
    evenParts.add(one, { part, held: others / size, size });
  }
  for (const one of stored) {
    if (!one.overflow) continue;
    const main = stored.find((other) => !other.overflow && sameTree(other, one) && samePartition(other, one));
    const part = main && parts.get(main);
    const rows = main && part && { part, size: sizeOf(main, countOf(main)) };
    parts.set(one, overflowPart(sizeOf(one, countOf(one)), countOf(one), rows));
  }
  return parts;
}

function pieceOf(stored: StoredIndex, part: HotPart, share: number): WorkSetRelation {
  const sizeBlocks = Math.max(stored.pages, blockCount(part.ranges));
  const ref = refOf(stored);
  const { database, table, index } = stored;
  const { name } = refOf({ database, table, partition: undefined, index });
  const partOf = name === ref.name ? {} : { partOf: name };
  return { ...ref, ...partOf, fork: 'main', filenode: '', sizeBlocks, share, ...part };
}
