import { performance } from 'node:perf_hooks';
import { ForewarmError } from '../../lib/errors.ts';
import { type BlockRanges, emptyRanges, singleRange, union } from '../../planning/block-ranges.ts';
import { relationKey } from '../../planning/work-set.ts';
import type { LocalRelation, Spans, WarmResult, WarmStep } from '../engine.ts';
import type { Admission } from './admission.ts';
import type { MysqlConnections } from './connections.ts';
import { createDives, fromIndex } from './dives.ts';
import { isOutOfReach, isTimedOut } from './error-numbers.ts';
import { rangeCondition } from './key-range.ts';
import { KeySpace } from './key-space.ts';
import type { StoredIndex } from './stored-indexes.ts';

/** Places may be off by that part of what a step reads. */
const toleratedPart = 0.1;

interface Tree {
  readonly index: StoredIndex;
  readonly space: KeySpace;
  read: BlockRanges;
}

/** Reads stretches of indexes into the pool by counting their entries: no row crosses the wire, none is locked. */
export class Warmer {
  readonly #connections: MysqlConnections;
  readonly #admission: Admission;
  readonly #trees = new Map<string, Tree>();

  constructor(connections: MysqlConnections, admission: Admission) {
    this.#connections = connections;
    this.#admission = admission;
  }

  /** What has been read of it here; places in key order. */
  readOf(relation: LocalRelation): BlockRanges {
    return this.#trees.get(relationKey(relation))?.read ?? emptyRanges;
  }

  /** Makes an index known, as matching found it. */
  learn(relation: LocalRelation, index: StoredIndex): void {
    const key = relationKey(relation);
    const known = this.#trees.get(key);
    if (known !== undefined && sameShape(known.index, index)) return;
    const types = index.columns.map((column) => column.type);
    const space = new KeySpace(createDives(this.#connections, index), types);
    this.#trees.set(key, { index, space, read: emptyRanges });
  }

  indexOf(relation: LocalRelation): StoredIndex | undefined {
    return this.#trees.get(relationKey(relation))?.index;
  }

  /**
   * Carries a step out, from its first block to its last. A table that was dropped or altered since it was
   * matched, or a stretch that took longer than statements may, gives 0 blocks and no error.
   */
  async warm(step: WarmStep, signal?: AbortSignal): Promise<WarmResult> {
    const startedMs = performance.now();
    const tree = this.#trees.get(relationKey(step.relation));
    const from = step.wanted[0] ?? 0;
    const to = step.wanted.at(-1) ?? 0;
    if (tree === undefined || step.tier === 'os' || to <= from) return { blocks: 0, ms: 0 };
    const release = this.#admission.hold();
    try {
      await this.#read(tree, { from, to, size: step.relation.sizeBlocks, signal });
    } catch (error) {
      const cause = error instanceof ForewarmError ? error.cause : undefined;
      if (signal?.aborted || !(isOutOfReach(cause) || isTimedOut(cause))) throw error;
      return { blocks: 0, ms: performance.now() - startedMs };
    } finally {
      release();
    }
    tree.read = union(tree.read, singleRange(from, to - from, 1));
    return { blocks: lengthOf(step.wanted), ms: performance.now() - startedMs };
  }

  async #read(
    tree: Tree,
    stretch: {
      readonly from: number;
      readonly to: number;
      readonly size: number;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<void> {
    const { from, to, size, signal } = stretch;
    const tolerance = (toleratedPart * (to - from)) / size;
    const lower = await tree.space.boundAt(from / size, tolerance);
    const upper = await tree.space.boundAt(to / size, tolerance);
    if (lower === 'end') return;
    const columns = tree.index.columns.map((column) => column.name);
    const { floor } = tree.index;
    const where = rangeCondition(columns, lower.length === 0 && floor !== undefined ? [floor] : lower, upper);
    const text = `SELECT COUNT(*) FROM ${fromIndex(tree.index)} WHERE ${where.text}`;
    await this.#connections.session({ purpose: 'warm', signal }, (session) =>
      session.run(text, where.values),
    );
  }
}

const sameShape = (a: StoredIndex, b: StoredIndex): boolean =>
  a.keyName === b.keyName && JSON.stringify(a.columns) === JSON.stringify(b.columns);

function lengthOf(spans: Spans): number {
  let blocks = 0;
  for (let at = 0; at + 1 < spans.length; at += 2) blocks += spans[at + 1]! - spans[at]!;
  return blocks;
}
