import { performance } from 'node:perf_hooks';
import { systemClock } from '../../lib/clock.ts';
import { ForewarmError } from '../../lib/errors.ts';
import {
  type BlockRanges,
  blockCount,
  emptyRanges,
  intersect,
  singleRange,
  subtract,
  union,
} from '../../planning/block-ranges.ts';
import { relationKey, type WorkSetRelation } from '../../planning/work-set.ts';
import type { LocalRelation, Spans, WarmResult, WarmStep } from '../engine.ts';
import type { Admission } from './admission.ts';
import type { MysqlConnections } from './connections.ts';
import { fromIndex } from './dives.ts';
import { isOutOfReach, isTimedOut } from './error-numbers.ts';
import { solidPart } from './hot-part.ts';
import { nodesOf } from './key-places.ts';
import { type Condition, rangeCondition } from './key-range.ts';
import type { KeyFinder } from './key-space.ts';
import { type KeySpaces, sameShape, typesOf } from './key-spaces.ts';
import { quoteIdentifier } from './sql.ts';
import type { StoredIndex } from './stored-indexes.ts';
import type { Surveys } from './surveys.ts';
import { ToldKeySpace } from './told-key-space.ts';

/** Places may be off by that part of what a step reads. */
const toleratedPart = 0.2;

/**
 * Of a step's pages, from which on those that keys told by another copy bound are found by this server's own estimates
 * instead: what is estimated may be twice of what there is, and a step must not become a scan.
 */
const mostOfTold = 6;

/** What is cached may differ by this part from what was read until it is asked which stretches those are. */
const doubtfulPart = 0.05;
const fewPages = 16;
/** Of the time for all surveys of a work set, for that of one index. */
const surveyPart = 0.4;
/** Between two surveys of one index: each brings a page with each question. */
const surveyPauseMs = 2_000;

interface Tree {
  readonly index: StoredIndex;
  /** By the keys of whoever measured what is wanted, where it told them; else by this server's estimates. */
  readonly finder: KeyFinder;
  readonly wanted: BlockRanges;
  /** Found there, or read by this agent. */
  held: BlockRanges;
  surveyedMs: number;
}

type Wanted = Pick<WorkSetRelation, 'ranges' | 'places'>;

/** Reads stretches of indexes into the pool by counting their entries: no row crosses the wire, none is locked. */
export class Warmer {
  readonly #connections: MysqlConnections;
  readonly #admission: Admission;
  readonly #spaces: KeySpaces;
  readonly #surveys: Surveys;
  readonly #trees = new Map<string, Tree>();

  constructor(parts: {
    readonly connections: MysqlConnections;
    readonly admission: Admission;
    readonly spaces: KeySpaces;
    readonly surveys: Surveys;
  }) {
    this.#connections = parts.connections;
    this.#spaces = parts.spaces;
    this.#surveys = parts.surveys;
    this.#admission = parts.admission;
  }

  /** Opens so many connections: the first step would wait for its own. Never rejects: that step will tell. */
  async prepare(count: number): Promise<void> {
    const open = () => this.#connections.session({ purpose: 'warm' }, async () => {});
    await Promise.allSettled(Array.from({ length: count }, open));
  }

  /**
   * Which places of an index are held here, where `count` of its pages are: those that this agent has read, or,
   * where that does not fit the count, those in which keys of what is wanted are found in the pool. Thus later
   * rounds, and those after a restart of the agent, read what is missing.
   */
  async heldOf(relation: LocalRelation, count: number): Promise<BlockRanges> {
    const tree = this.#trees.get(relationKey(relation));
    if (tree === undefined) return emptyRanges;
    // As after a restart: to ask for what is left would bring more than that.
    if (count <= Math.max(fewPages, blockCount(tree.held) * doubtfulPart)) tree.held = emptyRanges;
    const read = blockCount(tree.held);
    const missing = subtract(tree.wanted, tree.held);
    const doubt = Math.max(fewPages, read * doubtfulPart);
    const lost = read > count + doubt;
    const unknown = count > read + doubt && blockCount(missing) > fewPages && count < relation.sizeBlocks;
    const nowMs = performance.now();
    // A survey asks for rows, and tells nothing of what lies outside of them.
    if (!tree.index.overflow && (lost || unknown) && nowMs - tree.surveyedMs > surveyPauseMs) {
      tree.surveyedMs = nowMs;
      const region = lost ? union(tree.wanted, tree.held) : missing;
      await this.#survey(tree, region, relation.sizeBlocks);
    }
    return tree.held;
  }

  async #survey(tree: Tree, region: BlockRanges, size: number): Promise<void> {
    const stretches = [...region.starts].map((start, at) => ({
      from: start / size,
      to: (start + region.lengths[at]!) / size,
    }));
    const cells = await this.#surveys.of(tree, stretches, {
      forMs: this.#surveys.workSetMs * surveyPart,
    });
    if (cells.length === 0) return;
    tree.held = union(subtract(tree.held, region), intersect(solidPart(cells, size), region));
  }

  /** Makes an index known, as matching found it, with what is wanted of it. */
  learn(relation: LocalRelation, index: StoredIndex, { ranges: wanted, places }: Wanted): void {
    const key = relationKey(relation);
    const known = this.#trees.get(key);
    const types = typesOf(index);
    const nodes = places && nodesOf(places, types);
    const finder = nodes === undefined ? this.#spaces.of(index) : new ToldKeySpace(nodes, types);
    const same = known !== undefined && sameShape(known.index, index);
    const held = same ? known.held : emptyRanges;
    const surveyedMs = same ? known.surveyedMs : Number.NEGATIVE_INFINITY;
    this.#trees.set(key, { index, finder, wanted, held, surveyedMs });
  }

  indexOf(relation: LocalRelation): StoredIndex | undefined {
    return this.#trees.get(relationKey(relation))?.index;
  }

  /**
   * Carries a step out, a statement for each stretch. A table that was dropped or altered since it was matched, or
   * a stretch that took longer than statements may, gives the blocks before it and no error.
   */
  async warm(step: WarmStep, signal?: AbortSignal): Promise<WarmResult> {
    const startedMs = performance.now();
    const tree = this.#trees.get(relationKey(step.relation));
    if (tree === undefined || step.tier === 'os') return { blocks: 0, ms: 0 };
    const runs = step.readThrough.length > 0 ? step.readThrough : step.wanted;
    let doneTo = 0;
    let readBlocks = 0;
    const release = this.#admission.hold();
    try {
      for (let at = 0; at + 1 < runs.length; at += 2) {
        const [from, to] = [runs[at]!, runs[at + 1]!];
        await this.#read(tree, { from, to, size: step.relation.sizeBlocks, signal });
        tree.held = union(tree.held, singleRange(from, to - from, 1));
        doneTo = to;
        readBlocks += to - from;
        const restMs = startedMs + readBlocks * (step.pace?.msPerBlock ?? 0) - performance.now();
        if (restMs > 0) await systemClock.sleep(restMs, signal);
      }
    } catch (error) {
      const cause = error instanceof ForewarmError ? error.cause : undefined;
      if (signal?.aborted || !(isOutOfReach(cause) || isTimedOut(cause))) throw error;
    } finally {
      release();
    }
    return { blocks: lengthUpTo(step.wanted, doneTo), ms: performance.now() - startedMs };
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
    const { index, finder } = tree;
    const { signal } = stretch;
    let where = await this.#condition(tree, finder, stretch);
    if (finder instanceof ToldKeySpace && where !== undefined) {
      const pages = await this.#estimatedPages(index, where, stretch);
      const most = (stretch.to - stretch.from) * mostOfTold + fewPages;
      if (pages > most) where = await this.#condition(tree, this.#spaces.of(index), stretch);
    }
    if (where === undefined) return;
    const text = `SELECT ${touching(index)} FROM ${fromIndex(index)} WHERE ${where.text}`;
    await this.#run(text, where, signal);
  }

  /** The rows of a stretch; undefined where there are none. */
  async #condition(
    { index }: Tree,
    finder: KeyFinder,
    { from, to, size }: { readonly from: number; readonly to: number; readonly size: number },
  ): Promise<Condition | undefined> {
    const tolerance = (toleratedPart * (to - from)) / size;
    const lower = await finder.boundAt(from / size, tolerance);
    const upper = await finder.boundAt(to / size, tolerance);
    if (lower === 'end') return undefined;
    const { columns, floor } = index;
    return rangeCondition(columns, lower.length === 0 && floor !== undefined ? [floor] : lower, upper);
  }

  /** What the server expects; for it, it reads a few pages of the same rows. */
  async #estimatedPages(
    index: StoredIndex,
    where: Condition,
    { size, signal }: { readonly size: number; readonly signal: AbortSignal | undefined },
  ): Promise<number> {
    const [plan] = await this.#run<{ rows: number | string | null }>(
      `EXPLAIN SELECT COUNT(*) FROM ${fromIndex(index)} WHERE ${where.text}`,
      where,
      signal,
    );
    return (Number(plan?.rows ?? 0) * size) / Math.max(1, index.rows);
  }

  #run<T>(text: string, { values }: Condition, signal: AbortSignal | undefined): Promise<T[]> {
    return this.#connections.session({ purpose: 'warm', signal, as: 'read-keys' }, (session) =>
      session.run<T>(text, values),
    );
  }
}

/** Entries are counted; of values outside of the rows the length, for which the server reads them. */
function touching({ overflow, longColumns }: StoredIndex): string {
  if (!overflow) return 'COUNT(*)';
  return longColumns.map((column) => `COUNT(LENGTH(${quoteIdentifier(column)}))`).join(', ');
}

/** Blocks of spans in order that lie before one. */
function lengthUpTo(spans: Spans, block: number): number {
  let blocks = 0;
  for (let at = 0; at + 1 < spans.length && spans[at + 1]! <= block; at += 2) {
    blocks += spans[at + 1]! - spans[at]!;
  }
  return blocks;
}
