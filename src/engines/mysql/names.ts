import type { RelationRef } from '../../planning/work-set.ts';

/** An index of a table or partition; InnoDB keeps the rows themselves in the clustered one. */
export interface IndexName {
  readonly database: string;
  readonly table: string;
  readonly partition: string | undefined;
  /** Undefined: the clustered index. */
  readonly index: string | undefined;
  /** The values that its rows keep in pages of their own, instead of the rows. */
  readonly overflow?: true;
}

const partitionMark = '#p#';
const overflowMark = '#overflow';

/**
 * How indexes are called on the wire: the clustered one `table`, a secondary one `table.index` with its table as
 * parent, those of a partition `table#p#partition` and `table#p#partition.index`; values outside of the rows
 * `table#overflow`, with the kind that PostgreSQL has for them.
 */
export function refOf({ database, table, partition, index, overflow }: IndexName): RelationRef {
  const stored = partition === undefined ? table : `${table}${partitionMark}${partition}`;
  const base = { database, schema: database };
  if (overflow) {
    return { ...base, name: `${stored}${overflowMark}`, kind: 'toast', parent: `${database}.${stored}` };
  }
  return index === undefined
    ? { ...base, name: stored, kind: 'table' }
    : { ...base, name: `${stored}.${index}`, kind: 'index', parent: `${database}.${stored}` };
}

/** Undefined where the names do not fit each other. */
export function indexNameOf(
  ref: Pick<RelationRef, 'database' | 'name' | 'kind'> & { readonly parent?: string | undefined },
): IndexName | undefined {
  const { database, name, kind, parent } = ref;
  if (kind === 'table') return { database, ...splitStored(name), index: undefined };
  const prefix = `${database}.`;
  if (kind === 'toast' && name.endsWith(overflowMark)) {
    const stored = name.slice(0, -overflowMark.length);
    return { database, ...splitStored(stored), index: undefined, overflow: true };
  }
  if (kind !== 'index' || parent === undefined || !parent.startsWith(prefix)) return undefined;
  const stored = parent.slice(prefix.length);
  if (!name.startsWith(`${stored}.`)) return undefined;
  return { database, ...splitStored(stored), index: name.slice(stored.length + 1) };
}

function splitStored(stored: string): { table: string; partition: string | undefined } {
  const at = stored.lastIndexOf(partitionMark);
  return at <= 0
    ? { table: stored, partition: undefined }
    : { table: stored.slice(0, at), partition: stored.slice(at + partitionMark.length) };
}

/** InnoDB's own name of a table's file, which marks partitions in either case, by table and partition. */
export function splitStoredName(stored: string): { table: string; partition: string | undefined } {
  const match = /^(.+?)#p#(.+?)(?:#sp#(.+))?$/i.exec(stored);
  if (match === null) return { table: stored, partition: undefined };
  return { table: match[1]!, partition: match[3] ?? match[2]! };
}
