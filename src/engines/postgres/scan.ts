import type { LocalRelation, Spans } from '../engine.ts';
import type { PostgresConnections, Session } from './connections.ts';
import { sqlStatement } from './sql.ts';

const tableShapeStatement = sqlStatement('scan-table-shape');
const indexShapeStatement = sqlStatement('scan-index-shape');

/** An index is read as a whole: further steps of it within this time count as done. */
const indexMemoryMs = 120_000;

/**
 * Warms without pg_prewarm. A table's exact blocks by TID range scans, which, unlike a sequential scan of a
 * big table, use no ring of buffers. A B-tree index as a whole, by an index-only scan in its own order; it
 * also touches heap pages that are not all visible. Other indexes, and other forks, are beyond a scan: 0.
 */
export class Scanner {
  readonly #connections: PostgresConnections;
  /** When each index was read last, by OID and filenode. */
  readonly #indexesRead = new Map<string, number>();

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
  }

  /** Blocks of `spans` that were read. */
  async scan(relation: LocalRelation, spans: Spans, signal?: AbortSignal): Promise<number> {
    if (relation.fork !== 'main') return 0;
    if (relation.kind !== 'index' && relation.kind !== 'toast_index') {
      return this.#inTransaction(relation.database, signal, (session) => scanTable(session, relation, spans));
    }
    const key = `${relation.oid}/${relation.filenode}`;
    const readAtMs = this.#indexesRead.get(key);
    const size = relation.sizeBlocks;
    if (readAtMs === undefined || Date.now() - readAtMs > indexMemoryMs) {
      const done = await this.#inTransaction(relation.database, signal, (session) =>
        scanIndex(session, relation),
      );
      if (!done) return 0;
      this.#indexesRead.set(key, Date.now());
    }
    return clip(spans, size).reduce((sum, [start, end]) => sum + end - start, 0);
  }

  /** The planner is left no other way than the one wanted; settings end with the transaction. */
  #inTransaction<T>(
    database: string,
    signal: AbortSignal | undefined,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    return this.#connections.session(database, { purpose: 'warm', signal, as: 'scan' }, async (session) => {
      await session.run('BEGIN READ ONLY');
      for (const setting of [
        'enable_seqscan',
        'enable_bitmapscan',
        'enable_sort',
        'enable_incremental_sort',
      ]) {
        await session.run(`SET LOCAL ${setting} = off`);
      }
      const result = await work(session);
      await session.run('COMMIT');
      return result;
    });
  }
}

async function scanTable(session: Session, relation: LocalRelation, spans: Spans): Promise<number> {
  const [table] = await session.query<{ table_name: string; filenode: number; size_blocks: number }>(
    tableShapeStatement,
    [relation.oid],
  );
  if (table === undefined || String(table.filenode) !== relation.filenode.split('/').at(-1)) return 0;
  const clipped = clip(spans, table.size_blocks);
  // A ctid restriction leaves the planner TID range scans alone: `count(*)` hinders the join's flattening.
  await session.run(
    `SELECT sum(r.n) FROM unnest($1::tid[], $2::tid[]) AS s (first, beyond),
       LATERAL (SELECT count(*) AS n FROM ONLY ${table.table_name} WHERE ctid >= s.first AND ctid < s.beyond) r`,
    [clipped.map(([start]) => `(${start},0)`), clipped.map(([, end]) => `(${end},0)`)],
  );
  return clipped.reduce((sum, [start, end]) => sum + end - start, 0);
}

/** False where no plan reads just this index. */
async function scanIndex(session: Session, relation: LocalRelation): Promise<boolean> {
  const [shape] = await session.query<{
    table_name: string;
    filenode: number;
    predicate: string | null;
    order_by: string[];
  }>(indexShapeStatement, [relation.oid]);
  if (shape === undefined || String(shape.filenode) !== relation.filenode.split('/').at(-1)) return false;
  const text = `SELECT count(*) FROM (SELECT 1 FROM ONLY ${shape.table_name}
    ${shape.predicate === null ? '' : `WHERE ${shape.predicate}`} ORDER BY ${shape.order_by.join(', ')} OFFSET 0) s`;
  const [explained] = await session.run<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] }>(
    `EXPLAIN (FORMAT JSON, COSTS OFF) ${text}`,
  );
  const plan = explained?.['QUERY PLAN'][0]?.Plan;
  if (plan === undefined || !readsIndexOnly(plan, relation.name)) return false;
  await session.run(text);
  return true;
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** Pure: some node of the plan is an index-only scan of that index. */
export function readsIndexOnly(plan: PlanNode, index: string): boolean {
  if (plan['Node Type'] === 'Index Only Scan' && plan['Index Name'] === index) return true;
  return (plan.Plans ?? []).some((child) => readsIndexOnly(child, index));
}

/** Spans as pairs, without what lies behind the relation's end. */
function clip(spans: Spans, sizeBlocks: number): (readonly [start: number, end: number])[] {
  const clipped: (readonly [number, number])[] = [];
  for (let at = 0; at + 1 < spans.length; at += 2) {
    const end = Math.min(spans[at + 1]!, sizeBlocks);
    if (spans[at]! < end) clipped.push([spans[at]!, end]);
  }
  return clipped;
}
