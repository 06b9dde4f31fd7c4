import type { Fork, RelationRef } from '../../planning/work-set.ts';
import type { LocalRelation } from '../engine.ts';
import type { PostgresConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const relationsStatement = sqlStatement('relations');

/** Forks by their number in pg_buffercache. */
export const forkByNumber: readonly Fork[] = ['main', 'fsm', 'vm', 'init'];

/** A relation by name, as profiles and work sets have it. */
export type NamedRelation = Omit<RelationRef, 'parent'> & { readonly parent?: string | undefined };

/** A wanted relation as one server has it. */
export interface CatalogRelation {
  /** Its place in the list that was asked for. */
  readonly index: number;
  readonly oid: number;
  readonly relkind: string;
  /** `p` permanent, `u` unlogged, `t` temporary. */
  readonly persistence: string;
  /** `tablespace/database/filenode`. */
  readonly filenode: string;
  /** Numbers of the filenode, as pg_buffercache has them; undefined for what has no storage. */
  readonly storage: readonly [tablespace: number, database: number, filenode: number] | undefined;
  /** By fork, in blocks; undefined while the relation is locked exclusively. */
  readonly forkBlocks: Partial<Record<Fork, number>> | undefined;
}

interface Row {
  readonly i: number;
  readonly oid: number;
  readonly relkind: string;
  readonly persistence: string;
  readonly filenode: string;
  readonly tablespace: number;
  readonly database_oid: number;
  readonly filenode_number: number | null;
  readonly fork_bytes: number[] | null;
}

/** Looks relations up by name, one statement for each database; those of other databases are left out. */
export async function lookUpRelations(
  connections: PostgresConnections,
  wanted: readonly NamedRelation[],
  options: { readonly blockBytes: number; readonly signal?: AbortSignal | undefined },
): Promise<CatalogRelation[]> {
  const byDatabase = new Map<string, number[]>();
  wanted.forEach((ref, index) => {
    if (!connections.databases.includes(ref.database)) return;
    const known = byDatabase.get(ref.database);
    if (known === undefined) byDatabase.set(ref.database, [index]);
    else known.push(index);
  });
  const found = await Promise.all(
    [...byDatabase].map(async ([database, indexes]) => {
      const refs = indexes.map((index) => wanted[index]!);
      const rows = await connections.query<Row>(
        database,
        relationsStatement,
        [
          indexes,
          refs.map((ref) => ref.schema),
          refs.map((ref) => ref.name),
          refs.map((ref) => ref.kind),
          refs.map((ref) => ref.parent ?? null),
        ],
        { signal: options.signal },
      );
      return rows.map((row) => toRelation(row, options.blockBytes));
    }),
  );
  return found.flat();
}

function toRelation(row: Row, blockBytes: number): CatalogRelation {
  const [main, fsm, vm] = (row.fork_bytes ?? []).map((bytes) => Math.floor(bytes / blockBytes));
  return {
    index: row.i,
    oid: row.oid,
    relkind: row.relkind,
    persistence: row.persistence,
    filenode: row.filenode,
    storage: row.filenode_number ? [row.tablespace, row.database_oid, row.filenode_number] : undefined,
    forkBlocks:
      row.fork_bytes === null ? undefined : { main: main ?? 0, fsm: fsm ?? 0, vm: vm ?? 0, init: 0 },
  };
}

/** Main forks that lie on the disk, by what they were asked for. */
export function locate(
  wanted: readonly NamedRelation[],
  found: readonly CatalogRelation[],
): readonly LocalRelation[] {
  return found.flatMap(({ index, oid, filenode, storage, forkBlocks }) => {
    const { parent, ...ref } = wanted[index]!;
    if (storage === undefined) return [];
    const named = parent === undefined ? ref : { ...ref, parent };
    return [{ ...named, oid, filenode, fork: 'main' as const, sizeBlocks: forkBlocks?.main ?? 0 }];
  });
}
