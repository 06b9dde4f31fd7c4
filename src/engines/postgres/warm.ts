import { performance } from 'node:perf_hooks';
import { ForewarmError } from '../../lib/errors.ts';
import type { LocalRelation, Spans, WarmResult, WarmStep } from '../engine.ts';
import type { PostgresConnections } from './connections.ts';
import type { PostgresIdentity } from './identity.ts';
import { ascending, groupsOf, inPieces, type Reading, type Readings, readingsOf } from './readings.ts';
import { Scanner } from './scan.ts';
import { type SqlStatement, sqlStatement } from './sql.ts';
import { isOutOfReach, isTakenAway } from './sqlstates.ts';

const warmStatement = sqlStatement('warm');
const warmPacedStatement = sqlStatement('warm-paced');
const readThroughStatement = sqlStatement('read-through');
const readThroughPacedStatement = sqlStatement('read-through-paced');

/** Reads blocks into the pool or the OS cache, by pg_prewarm, or by scans where a database lacks it. */
export class Warmer {
  readonly #connections: PostgresConnections;
  readonly #scanner: Scanner;

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
    this.#scanner = new Scanner(connections);
  }

  /**
   * Opens that many connections to each database of these relations and has them load what a step needs, which would
   * count as the first step's own where the catalog is cold. Reads the first block of one relation into the OS cache.
   * What fails is met again by the first step.
   */
  async prepare(
    identity: PostgresIdentity,
    relations: readonly LocalRelation[],
    count: number,
  ): Promise<void> {
    const able = relations.filter((relation) => canPrewarm(identity, relation));
    const first = new Map(able.toReversed().map((relation) => [relation.database, relation]));
    const prepared = [...first].flatMap(([database, relation]) => {
      const { readsThrough } = identity.privileges.get(database)!;
      const readings = { through: readsThrough ? [0, 1] : [], calls: ascending([0, 1], 'read', 0) };
      return Array.from({ length: count }, () =>
        this.#read(identity, relation, { readings, signal: undefined }),
      );
    });
    await Promise.allSettled(prepared);
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
      const { combineBlocks } = identity;
      const read = (readsThrough: boolean, pace: WarmStep['pace']) =>
        this.#read(identity, step.relation, {
          readings: readingsOf(step, { combineBlocks, readsThrough }),
          ...{ signal, pace, onDiskDone: step.onDiskDone },
        });
      const readsThrough = identity.privileges.get(step.relation.database)?.readsThrough === true;
      if (!readsThrough && step.pace === undefined) return await read(false, undefined);
      try {
        return await read(readsThrough, step.pace);
      } catch (error) {
        // A function was dropped, or taken from the role, since the identity was read; pg_sleep perhaps ever before.
        if (signal?.aborted || !(error instanceof ForewarmError) || !isTakenAway(error.cause)) throw error;
        return await read(false, undefined);
      }
    });
    // What was read through counts with the gaps that it bridged.
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
        ? this.#read(identity, relation, {
            readings: { through: [], calls: ascending(spans, 'buffer', 1) },
            signal,
          })
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

  /** Blocks that pg_prewarm counted; where it had no part, those that were read through. */
  async #read(
    identity: PostgresIdentity,
    relation: LocalRelation,
    options: {
      readonly readings: Readings;
      readonly signal: AbortSignal | undefined;
    } & Pick<WarmStep, 'pace' | 'onDiskDone'>,
  ): Promise<number> {
    const { signal, pace, onDiskDone } = options;
    const { combineBlocks } = identity;
    // Short reads by themselves take no time of their own.
    const msPerBlock = pace === undefined || pace.msPerBlock === 0 ? undefined : pace.msPerBlock;
    const { through, calls } =
      pace === undefined ? options.readings : inPieces(options.readings, { ...pace, combineBlocks });
    const { database, oid, fork } = relation;
    const filenode = relation.filenode.split('/').at(-1);
    const query = async (statement: SqlStatement, parameters: unknown[]) => {
      const how = { purpose: 'warm', signal } as const;
      const [row] = await this.#connections.query<{ blocks: number }>(database, statement, parameters, how);
      return row?.blocks ?? 0;
    };
    let blocks = 0;
    if (through.length > 0) {
      const starts = through.filter((_, i) => i % 2 === 0);
      const ends = through.filter((_, i) => i % 2 === 1);
      blocks =
        msPerBlock === undefined
          ? await query(readThroughStatement, [oid, fork, starts, ends, filenode])
          : await query(readThroughPacedStatement, [
              ...[oid, fork, starts, ends, filenode],
              ...[groupsOf(through, pace!.pieceBlocks), msPerBlock],
            ]);
      onDiskDone?.();
    }
    if (calls.length === 0) return blocks;
    const prewarm = async (some: readonly Reading[], ms?: number) =>
      some.length === 0
        ? 0
        : await query(ms === undefined ? warmStatement : warmPacedStatement, [
            ...[oid, fork],
            some.map((call) => call.mode),
            some.map((call) => call.start),
            some.map((call) => call.end),
            some.map((call) => call.weight),
            ...[filenode, String(combineBlocks)],
            ...(ms === undefined ? [] : [ms]),
          ]);
    if (msPerBlock === undefined || through.length > 0) return await prewarm(calls);
    const reads = calls.filter(({ mode }) => mode === 'read');
    const fills = calls.filter(({ mode }) => mode === 'buffer');
    if (reads.length === 0) return await prewarm(fills, msPerBlock);
    return (await prewarm(reads, msPerBlock)) + (await prewarm(fills));
  }
}

function canPrewarm(identity: PostgresIdentity, relation: LocalRelation): boolean {
  return identity.privileges.get(relation.database)?.can('pg_prewarm') === true;
}

function lengthOf(spans: Spans): number {
  let blocks = 0;
  for (let at = 0; at + 1 < spans.length; at += 2) blocks += spans[at + 1]! - spans[at]!;
  return blocks;
}
