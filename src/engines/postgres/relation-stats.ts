import type { RelationKind } from '../../messages/profile.ts';
import type { RelationRef } from '../../planning/work-set.ts';
import type { PostgresConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const catalogStatement = sqlStatement('relation-catalog');
const countsStatement = sqlStatement('relation-counts');

/** A relation as the catalogs know it; `kind` is that of `pg_class.relkind`. */
export interface CatalogRelation {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly kind: 'r' | 'i' | 't' | 'm' | 'v' | 'p';
  readonly pages: number;
  /** The table of an index. */
  readonly tableOid: string | null;
  /** Of an index; the function's name where it is an expression. */
  readonly leadingColumn: string | null;
  readonly toastOid: string | null;
  /** The partitioned or inherited parent. */
  readonly parentOid: string | null;
  /** Columns that may lie in the TOAST relation. */
  readonly toastable: readonly string[] | null;
}

/** The relations of one database, by every way that witnesses name them. */
export class Catalog {
  readonly byOid = new Map<string, CatalogRelation>();
  readonly #byName = new Map<string, CatalogRelation>();
  readonly #schemasOf = new Map<string, string[]>();
  readonly #indexesOf = new Map<string, CatalogRelation[]>();
  readonly #childrenOf = new Map<string, string[]>();
  readonly #toastOwner = new Map<string, string>();

  constructor(rows: readonly CatalogRelation[]) {
    for (const row of rows) {
      this.byOid.set(row.oid, row);
      this.#byName.set(JSON.stringify([row.schema, row.name]), row);
      if (row.tableOid !== null) push(this.#indexesOf, row.tableOid, row);
      else if (row.kind !== 't') push(this.#schemasOf, row.name, row.schema);
      if (row.parentOid !== null) push(this.#childrenOf, row.parentOid, row.oid);
      if (row.toastOid !== null) this.#toastOwner.set(row.toastOid, row.oid);
    }
  }

  find(schema: string, name: string): CatalogRelation | undefined {
    return this.#byName.get(JSON.stringify([schema, name]));
  }

  /** Schemas that have a table or view of that name. */
  schemasOf(name: string): readonly string[] {
    return this.#schemasOf.get(name) ?? [];
  }

  indexesOf(oid: string): readonly CatalogRelation[] {
    return this.#indexesOf.get(oid) ?? [];
  }

  /** Partitions and heirs, one level down. */
  childrenOf(oid: string): readonly string[] {
    return this.#childrenOf.get(oid) ?? [];
  }

  /** Names as every replica knows them; undefined for what has no storage. */
  ref(database: string, oid: string): RelationRef | undefined {
    const relation = this.byOid.get(oid);
    const kind = relation === undefined ? undefined : this.#kindOf(relation);
    if (relation === undefined || kind === undefined) return undefined;
    const parent = this.#ownerOf(relation);
    const { schema, name } = relation;
    return { database, schema, name, kind, ...(parent ? { parent: `${parent.schema}.${parent.name}` } : {}) };
  }

  /** The table behind an index or TOAST relation. */
  #ownerOf(relation: CatalogRelation): CatalogRelation | undefined {
    const table = relation.tableOid === null ? relation : this.byOid.get(relation.tableOid);
    if (table === undefined) return undefined;
    const owner = this.#toastOwner.get(table.oid);
    if (owner !== undefined) return this.byOid.get(owner);
    return table === relation ? undefined : table;
  }

  #kindOf(relation: CatalogRelation): RelationKind | undefined {
    switch (relation.kind) {
      case 'r':
        return 'table';
      case 'm':
        return 'matview';
      case 't':
        return 'toast';
      case 'i':
        return this.byOid.get(relation.tableOid ?? '')?.kind === 't' ? 'toast_index' : 'index';
      default:
        return undefined;
    }
  }
}

const catalogLifeMs = 300_000;

/** Catalog and block counters of one database. */
export class RelationStats {
  readonly #connections: PostgresConnections;
  readonly #database: string;
  readonly #nowMs: () => number;
  #catalog: Catalog | undefined;
  #readAtMs = 0;
  #before: Map<string, number> | undefined;

  constructor(connections: PostgresConnections, database: string, nowMs: () => number) {
    this.#connections = connections;
    this.#database = database;
    this.#nowMs = nowMs;
  }

  async catalog(refresh = false): Promise<Catalog> {
    if (this.#catalog === undefined || refresh || this.#nowMs() - this.#readAtMs > catalogLifeMs) {
      this.#catalog = new Catalog(
        await this.#connections.query<CatalogRelation>(this.#database, catalogStatement),
      );
      this.#readAtMs = this.#nowMs();
    }
    return this.#catalog;
  }

  /** Accesses by relation since the last call; undefined at the first. */
  async deltas(): Promise<Map<string, number> | undefined> {
    const rows = await this.#connections.query<{ oid: string; blocks: number }>(
      this.#database,
      countsStatement,
    );
    const now = new Map(rows.map((row) => [row.oid, row.blocks]));
    const before = this.#before;
    this.#before = now;
    if (before === undefined) return undefined;
    const deltas = new Map<string, number>();
    for (const [oid, blocks] of now) {
      const last = before.get(oid) ?? 0;
      const delta = blocks < last ? blocks : blocks - last;
      if (delta > 0) deltas.set(oid, delta);
    }
    return deltas;
  }
}

function push<V>(map: Map<string, V[]>, key: string, value: V): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}
