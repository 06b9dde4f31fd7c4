import { performance } from 'node:perf_hooks';
import { ForewarmError } from '../../lib/errors.ts';
import type { LocalRelation, Spans, WarmResult, WarmStep } from '../engine.ts';
import type { PostgresConnections } from './connections.ts';
import type { PostgresIdentity } from './identity.ts';
import { hasUsageCounts, poolViewDatabase } from './pool-walk.ts';
import { ascending, type Reading, readingsOf } from './readings.ts';
import { Scanner } from './scan.ts';
import { sqlStatement } from './sql.ts';
import { isOutOfReach } from './sqlstates.ts';

const warmStatement = sqlStatement('warm');
const freeStatement = sqlStatement('pool-free');

/** Reads blocks into the pool or the OS cache, by pg_prewarm, or by scans where a database lacks it. */
export class Warmer {
  readonly #connections: PostgresConnections;
  readonly #scanner: Scanner;

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
    this.#scanner = new Scanner(connections);
  }

  /**
   * Carries a step out. A relation that was dropped, truncated, rewritten or locked exclusively since it was
   * matched gives fewer blocks, or 0, and no error.
   */
  async warm(identity: PostgresIdentity, step: WarmStep, signal?: AbortSignal): Promise<WarmResult> {
    const startedMs = performance.now();
    const blocks = await this.#tolerant(signal, async () => {
      if (!canPrewarm(identity, step.relation)) {
        return this.#scanner.scan(step.relation, step.wanted, signal);
      }
      const gapsMayEnterPool = await gapsFit(this.#connections, identity, step);
      const { combineBlocks } = identity;
      return this.#prewarm(identity, step.relation, {
        readings: readingsOf(step, { combineBlocks, gapsMayEnterPool }),
        signal,
      });
    });
    // Gaps that entered the pool were counted with what is wanted around them.
    return { blocks: Math.min(blocks, lengthOf(step.wanted)), ms: performance.now() - startedMs };
  }

  /** Touches resident spans once more: each block's usage count rises by one. */
  async touch(
    identity: PostgresIdentity,
    relation: LocalRelation,
    options: { readonly spans: Spans; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    const { spans, signal } = options;
    await this.#tolerant(signal, () =>
      canPrewarm(identity, relation)
        ? this.#prewarm(identity, relation, { readings: ascending(spans, 'buffer', 1), signal })
        : this.#scanner.scan(relation, spans, signal),
    );
  }

  async #tolerant(signal: AbortSignal | undefined, work: () => Promise<number>): Promise<number> {
    try {
      return await work();
    } catch (error) {
      const cause = error instanceof ForewarmError ? error.cause : undefined;
      if (signal?.aborted || !isOutOfReach(cause)) throw error;
      return 0;
    }
  }

  async #prewarm(
    identity: PostgresIdentity,
    relation: LocalRelation,
    options: { readonly readings: readonly Reading[]; readonly signal: AbortSignal | undefined },
  ): Promise<number> {
    const { readings: reads, signal } = options;
    if (reads.length === 0) return 0;
    const [row] = await this.#connections.query<{ blocks: number }>(
      relation.database,
      warmStatement,
      [
        relation.oid,
        relation.fork,
        reads.map((read) => read.mode),
        reads.map((read) => read.start),
        reads.map((read) => read.end),
        reads.map((read) => read.weight),
        relation.filenode.split('/').at(-1),
        String(identity.combineBlocks),
      ],
      { purpose: 'warm', signal },
    );
    return row?.blocks ?? 0;
  }
}

function canPrewarm(identity: PostgresIdentity, relation: LocalRelation): boolean {
  return identity.privileges.get(relation.database)?.can('pg_prewarm') === true;
}

/** Free buffers, of the pool's, that bridged gaps leave to others. */
const reserveShare = 0.05;

/** Whether a step's gaps fit into buffers that nobody uses. */
async function gapsFit(
  connections: PostgresConnections,
  identity: PostgresIdentity,
  step: WarmStep,
): Promise<boolean> {
  const database = poolViewDatabase(identity);
  if (step.readThrough.length === 0 || identity.combineBlocks === 1 || database === undefined) return false;
  if (!hasUsageCounts(identity, database)) return false;
  const [row] = await connections.query<{ free: number }>(database, freeStatement);
  const needed = lengthOf(step.readThrough) + lengthOf(step.wanted) + identity.poolBlocks * reserveShare;
  return (row?.free ?? 0) > needed;
}

function lengthOf(spans: Spans): number {
  let blocks = 0;
  for (let at = 0; at + 1 < spans.length; at += 2) blocks += spans[at + 1]! - spans[at]!;
  return blocks;
}
