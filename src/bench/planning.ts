import { fork } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { type BlockRanges, BlockRangesBuilder, blockCount } from '../planning/block-ranges.ts';
import { decodeWorkSet, encodeWorkSet } from '../planning/codec.ts';
import { createCostModel } from '../planning/cost-model.ts';
import { planPrewarm } from '../planning/plan.ts';
import { relationKey, type WorkSet, type WorkSetRelation } from '../planning/work-set.ts';
import { type RelationShape, type ResidencyRows, residencyRows, shapesOf } from './planning-rows.ts';
import type { Column } from './tables.ts';

/** 128 GiB of 8 KiB blocks. */
const mostBlocks = 2 ** 24;
const blockBytes = 8192;

/** How long the runs of equal heat are: from a skewed load, or far shorter than any seen. */
const scenarios = {
  realistic: { meanRunBlocks: 12 },
  worst: { meanRunBlocks: 2 },
} as const;
export type PlanningScenario = keyof typeof scenarios;

export interface PlanningFigures {
  readonly scenario: PlanningScenario;
  readonly blocks: number;
  readonly ranges: number;
  readonly encodedBytes: number;
  readonly mergeMs: number;
  readonly encodeMs: number;
  readonly decodeMs: number;
  readonly planMs: number;
  readonly totalMs: number;
  /** Highest resident size of the process above that before the work; and of V8's heap and its buffers at the steps' ends. */
  readonly rssGrowthBytes: number;
  readonly heapAndBuffersBytes: number;
}

export const planningLimits = { totalMs: 3000, rssGrowthBytes: 300e6 };

/** Runs every scenario in a process of its own, so that each one's memory is its own. */
export async function runPlanningBench(
  options: {
    readonly runs?: number;
    readonly blocks?: number;
    readonly onRun?: (figures: PlanningFigures) => void;
  } = {},
): Promise<readonly PlanningFigures[]> {
  const { runs = 3, blocks = mostBlocks, onRun } = options;
  const all: PlanningFigures[] = [];
  for (const scenario of Object.keys(scenarios) as PlanningScenario[]) {
    for (let run = 0; run < runs; run++) {
      const figures = await inOwnProcess(scenario, blocks);
      all.push(figures);
      onRun?.(figures);
    }
  }
  return all;
}

function inOwnProcess(scenario: PlanningScenario, blocks: number): Promise<PlanningFigures> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--scenario', scenario, '--blocks', String(blocks)]);
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('message', (figures) => resolve(figures as PlanningFigures));
    child.once('error', reject);
    child.once('exit', (code) => {
      process.off('exit', end);
      reject(new Error(`the ${scenario} run ended with status ${code}`));
    });
  });
}

/** Source: rows are merged and encoded. Target: decoded and planned, in its hardest case. */
async function measure(scenario: PlanningScenario, totalBlocks: number): Promise<PlanningFigures> {
  const shapes = shapesOf(totalBlocks);
  const { meanRunBlocks } = scenarios[scenario];
  const rows = residencyRows(totalBlocks, meanRunBlocks);
  const baseline = process.memoryUsage().rss;
  let heapAndBuffersBytes = 0;
  const timed = async <T>(work: () => T | Promise<T>): Promise<[T, number]> => {
    const startedAt = performance.now();
    const result = await work();
    const ms = performance.now() - startedAt;
    const { heapUsed, external } = process.memoryUsage();
    heapAndBuffersBytes = Math.max(heapAndBuffersBytes, heapUsed + external);
    return [result, ms];
  };

  let source: WorkSet | undefined;
  let mergeMs = 0;
  [source, mergeMs] = await timed(() => merge(shapes, rows));
  const blocks = source.relations.reduce((n, r) => n + blockCount(r.ranges), 0);
  const ranges = source.relations.reduce((n, r) => n + r.ranges.starts.length, 0);
  const [encoded, encodeMs] = await timed(() => encodeWorkSet(source!));
  source = undefined;
  const [decoded, decodeMs] = await timed(() => decodeWorkSet(encoded));
  const [plan, planMs] = await timed(() => planHardest(decoded, blocks));
  const placed = plan.plannedBlocks + plan.osBlocks + plan.residentBlocks + plan.skippedBlocks;
  if (placed !== blocks || blocks !== totalBlocks) {
    throw new Error(`${placed} of ${blocks} blocks have a place, of ${totalBlocks} that should be there`);
  }
  const rssGrowthBytes = process.resourceUsage().maxRSS * 1024 - baseline;
  const times = { mergeMs, encodeMs, decodeMs, planMs, totalMs: mergeMs + encodeMs + decodeMs + planMs };
  return {
    scenario,
    blocks,
    ranges,
    encodedBytes: encoded.length,
    ...times,
    rssGrowthBytes,
    heapAndBuffersBytes,
  };
}

function merge(shapes: readonly RelationShape[], rows: ResidencyRows): WorkSet {
  const relations = shapes.map(({ blocks, ...ref }): WorkSetRelation => {
    const builder = new BlockRangesBuilder();
    let start = 0;
    for (let left = blocks; left > 0; ) {
      const { heats, gapBlocks } = rows.next(left);
      builder.addHeats(start, heats);
      left -= heats.length;
      start += heats.length + gapBlocks;
    }
    return { ...ref, fork: 'main', sizeBlocks: start, ranges: builder.build() };
  });
  return {
    ...{ vm: 'app1', source: 'db1', systemId: '7340000000000000001', blockBytes },
    ...{ takenAt: '2026-01-01T00:00:00Z', blocksKnown: true, secondTier: 'unknown' },
    relations,
  };
}

/** A tenth resident, room for 70 %, half of the time that it takes: subtracted, cut and split into classes. */
function planHardest(workSet: WorkSet, totalBlocks: number) {
  const resident = new Map<string, BlockRanges>();
  for (const relation of workSet.relations) {
    const there = new BlockRangesBuilder();
    for (let at = 0; at < relation.sizeBlocks; at += 4096) {
      there.add(at, Math.min(400, relation.sizeBlocks - at), 1);
    }
    resident.set(relationKey(relation), there.build());
  }
  return planPrewarm({
    matches: workSet.relations.map((wanted) => ({ wanted, verdict: 'blocks' as const, local: wanted })),
    blocksKnown: true,
    resident,
    budget: { poolBlocks: totalBlocks * 0.7, osBlocks: totalBlocks * 0.1 },
    model: createCostModel(),
    blockBytes,
    deadlineMs: 500_000,
    goal: 0.95,
  });
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
const ms = (value: number) => value.toFixed(0);
export const planningColumns: readonly Column<PlanningFigures>[] = [
  { title: 'scenario', value: ({ scenario }) => scenario },
  { title: 'blocks', right: true, value: ({ blocks }) => String(blocks) },
  { title: 'ranges', right: true, value: ({ ranges }) => String(ranges) },
  { title: 'encoded MB', right: true, value: ({ encodedBytes }) => megabytes(encodedBytes) },
  { title: 'merge ms', right: true, value: ({ mergeMs }) => ms(mergeMs) },
  { title: 'encode ms', right: true, value: ({ encodeMs }) => ms(encodeMs) },
  { title: 'decode ms', right: true, value: ({ decodeMs }) => ms(decodeMs) },
  { title: 'plan ms', right: true, value: ({ planMs }) => ms(planMs) },
  { title: 'total ms', right: true, value: ({ totalMs }) => ms(totalMs) },
  { title: 'RSS growth MB', right: true, value: ({ rssGrowthBytes }) => megabytes(rssGrowthBytes) },
  {
    title: 'heap+buffers MB',
    right: true,
    value: ({ heapAndBuffersBytes }) => megabytes(heapAndBuffersBytes),
  },
];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const scenario = process.argv[process.argv.indexOf('--scenario') + 1];
  if (process.send !== undefined && scenario !== undefined && scenario in scenarios) {
    const blocks = Number(process.argv[process.argv.indexOf('--blocks') + 1]);
    const figures = await measure(scenario as PlanningScenario, blocks);
    process.send(figures, () => process.disconnect());
  }
}
