import { type BlockRanges, maxHeat } from './block-ranges.ts';
import { type DeviceCost, estimateMs } from './cost-model.ts';

/** A second pass takes blocks from the OS cache into the pool: about 12 µs for each 8 KiB. */
export const secondPassByteMs = 1.5e-6;
/** The widest gap that is ever read through: 2 MiB of 8 KiB blocks. */
const widestGapBlocks = 256;

/** Heats to look at; the others are as if they were not there. */
export interface HeatRange {
  readonly low: number;
  readonly high: number;
}

/** How the runs of a list of blocks lie apart: all that is needed to price any choice of gaps. */
export interface GapCounts {
  readonly runs: number;
  readonly blocks: number;
  /** Gaps between neighbouring runs by their width in blocks, up to the widest that is worth a thought. */
  readonly byWidth: Uint32Array;
}

/** One pass over the ranges. */
export function countGaps(
  ranges: BlockRanges,
  { low, high }: HeatRange = { low: 0, high: maxHeat },
): GapCounts {
  const { starts, lengths, heats } = ranges;
  const byWidth = new Uint32Array(widestGapBlocks + 1);
  let runs = 0;
  let blocks = 0;
  let end = -1;
  for (let i = 0; i < starts.length; i++) {
    if (heats[i]! < low || heats[i]! > high) continue;
    const gap = starts[i]! - end;
    if (end < 0 || gap > 0) runs += 1;
    if (end >= 0 && gap > 0 && gap <= widestGapBlocks) byWidth[gap]! += 1;
    blocks += lengths[i]!;
    end = starts[i]! + lengths[i]!;
  }
  return { runs, blocks, byWidth };
}

export interface GapChoice {
  /** Gaps up to this are read through; 0: none is. */
  readonly gapBlocks: number;
  readonly operations: number;
  readonly bytes: number;
  /** Second passes counted. */
  readonly ms: number;
}

/** What reading with that gap comes to. */
export function priceGap(
  cost: DeviceCost,
  gaps: GapCounts,
  by: { readonly gapBlocks: number; readonly blockBytes: number },
): GapChoice {
  let bridged = 0;
  let gapTotal = 0;
  for (let width = 1; width <= Math.min(by.gapBlocks, widestGapBlocks); width++) {
    bridged += gaps.byWidth[width]!;
    gapTotal += gaps.byWidth[width]! * width;
  }
  return priced(cost, gaps, { gapBlocks: by.gapBlocks, bridged, gapTotal, blockBytes: by.blockBytes });
}

/** The gap with which the whole is read soonest; of equals the narrowest, which reads least. */
export function cheapestGap(cost: DeviceCost, gaps: GapCounts, blockBytes: number): GapChoice {
  let bridged = 0;
  let gapTotal = 0;
  let best = priced(cost, gaps, { gapBlocks: 0, bridged, gapTotal, blockBytes });
  for (let gapBlocks = 1; gapBlocks <= widestGapBlocks; gapBlocks++) {
    const count = gaps.byWidth[gapBlocks]!;
    if (count === 0) continue;
    bridged += count;
    gapTotal += count * gapBlocks;
    const choice = priced(cost, gaps, { gapBlocks, bridged, gapTotal, blockBytes });
    if (choice.ms < best.ms) best = choice;
  }
  return best;
}

function priced(
  cost: DeviceCost,
  gaps: GapCounts,
  at: { gapBlocks: number; bridged: number; gapTotal: number; blockBytes: number },
): GapChoice {
  const { gapBlocks, bridged, gapTotal, blockBytes } = at;
  const operations = gaps.runs - bridged;
  const bytes = (gaps.blocks + gapTotal) * blockBytes;
  // Both neighbours of a bridged gap are read again out of the OS cache.
  const twice = gaps.runs === 0 ? 0 : Math.min(1, (2 * bridged) / gaps.runs);
  const ms = estimateMs(cost, operations, bytes) + twice * gaps.blocks * blockBytes * secondPassByteMs;
  return { gapBlocks, operations, bytes, ms };
}

/** Milliseconds to read these lists, in any order, gaps read through where that is cheaper. */
export function readMs(
  cost: DeviceCost,
  lists: readonly BlockRanges[],
  by: Partial<HeatRange> & { readonly blockBytes: number },
): number {
  const { blockBytes, low = 0, high = maxHeat } = by;
  return cheapestGap(cost, addGaps(lists.map((ranges) => countGaps(ranges, { low, high }))), blockBytes).ms;
}

function addGaps(counts: readonly GapCounts[]): GapCounts {
  const byWidth = new Uint32Array(widestGapBlocks + 1);
  let [runs, blocks] = [0, 0];
  for (const one of counts) {
    runs += one.runs;
    blocks += one.blocks;
    for (let width = 1; width <= widestGapBlocks; width++) byWidth[width]! += one.byWidth[width]!;
  }
  return { runs, blocks, byWidth };
}

/** What may be read in any order has one rank. */
interface Ranked {
  readonly ranges: BlockRanges;
  readonly rank: number;
}

/**
 * For each cost and segment of a plan the gap to read through: one for all of a rank, for a device's limits
 * hold for their sum. Counts the gaps of a rank when it is first asked for.
 */
export function gapChooser(
  segments: readonly Ranked[],
  blockBytes: number,
): (cost: DeviceCost) => (segment: number) => number {
  const counted = new Map<number, GapCounts>();
  const countRank = (rank: number) => {
    const lists = segments.filter((one) => one.rank === rank).map(({ ranges }) => countGaps(ranges));
    const counts = addGaps(lists);
    counted.set(rank, counts);
    return counts;
  };
  return (cost) => {
    const chosen = new Map<number, number>();
    return (segment) => {
      const { rank } = segments[segment]!;
      const known = chosen.get(rank);
      if (known !== undefined) return known;
      const { gapBlocks } = cheapestGap(cost, counted.get(rank) ?? countRank(rank), blockBytes);
      chosen.set(rank, gapBlocks);
      return gapBlocks;
    };
  };
}
