import { type BlockRanges, rangesOf } from '../../planning/block-ranges.ts';
import type { WorkSet, WorkSetRelation } from '../../planning/work-set.ts';
import type { LocalRelation, RelationMatch } from '../engine.ts';
import type { MysqlConnections } from './connections.ts';
import type { MysqlIdentity } from './identity.ts';
import { type IndexName, indexNameOf } from './names.ts';
import { readIndexes, type StoredIndex, storedKey } from './stored-indexes.ts';

export interface Matched {
  readonly matches: readonly RelationMatch[];
  /** The trees that were found, by `storedKey`. */
  readonly indexes: ReadonlyMap<string, StoredIndex>;
}

/** Where each of a work set's indexes stands here. */
export async function matchWorkSet(
  connections: MysqlConnections,
  identity: MysqlIdentity,
  workSet: WorkSet,
): Promise<Matched> {
  const names = workSet.relations.map((wanted) => indexNameOf(wanted));
  const known = names.filter((name) => name !== undefined && identity.databases.includes(name.database));
  const stored = await readIndexes(connections, known as IndexName[], { pageBytes: identity.blockBytes });
  const indexes = new Map(stored.map((one) => [storedKey(one), one]));
  const matches = workSet.relations.map((wanted, at) => {
    const name = names[at];
    return judge(wanted, name, {
      local: name === undefined ? undefined : indexes.get(storedKey(name)),
      configured: identity.databases,
      blockBytes: identity.blockBytes,
      workSet,
    });
  });
  return { matches, indexes };
}

/** Pure: places in key order hold on every copy, scaled where the index has another size here. */
export function judge(
  wanted: WorkSetRelation,
  name: IndexName | undefined,
  here: {
    readonly local: StoredIndex | undefined;
    readonly configured: readonly string[];
    readonly blockBytes: number;
    readonly workSet: Pick<WorkSet, 'blocksKnown' | 'blockBytes'>;
  },
): RelationMatch {
  const absent = (reason: string): RelationMatch => ({ wanted, verdict: 'absent', reason });
  if (name === undefined) return absent('its name is not that of an index of InnoDB');
  if (!here.configured.includes(name.database)) {
    return absent(`database "${name.database}" is not in the configuration of this replica`);
  }
  if (here.local === undefined) return absent('there is no index of that name here');
  const { fork, database, schema, kind, parent } = wanted;
  const local: LocalRelation = {
    ...{ database, schema, name: wanted.name, kind, fork },
    ...(parent === undefined ? {} : { parent }),
    oid: 0,
    filenode: '',
    // Of rows with long values the server does not tell what lies outside: the source found it out.
    sizeBlocks: here.local.longColumns.length > 0 ? wanted.sizeBlocks : here.local.pages,
  };
  if (!here.workSet.blocksKnown) {
    return { wanted, verdict: 'relation', local, reason: 'the source could not see its pool' };
  }
  const ranges = scaled(wanted.ranges, wanted.sizeBlocks, local.sizeBlocks);
  return {
    wanted: { ...wanted, ranges, sizeBlocks: local.sizeBlocks },
    verdict: 'blocks',
    how: wanted.means ?? 'by key ranges',
    local,
  };
}

/** The same parts of an index of another size; what is not empty stays so. */
export function scaled(ranges: BlockRanges, from: number, to: number): BlockRanges {
  if (from === to || from <= 0) return ranges;
  const runs: [number, number, number][] = [];
  let end = 0;
  for (let at = 0; at < ranges.starts.length; at++) {
    const start = Math.max(end, Math.floor((ranges.starts[at]! * to) / from));
    const stop = Math.min(to, Math.ceil(((ranges.starts[at]! + ranges.lengths[at]!) * to) / from));
    if (stop <= start) continue;
    runs.push([start, stop - start, ranges.heats[at]!]);
    end = stop;
  }
  return rangesOf(runs);
}
