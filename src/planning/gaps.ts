import { type BlockRanges, maxHeat } from './block-ranges.ts';
import { type DeviceCost, estimateMs, longRunBlocks, piecesOf } from './cost-model.ts';

/** A second pass takes blocks from the OS cache into the pool: about 12 µs for each 8 KiB. */
export const secondPassByteMs = 1.5e-6;
/** The widest gap that is ever read through: 2 MiB of 8 KiB blocks. */
export const widestGapBlocks = 256;

/** Heats to look at; the others are as if they were not there. */
export interface HeatRange {
  readonly low: number;
  readonly high: number;
}

/** How long the runs of a list of blocks are and how they lie apart: all that is needed to price any choice of gaps. */
export interface GapCounts {
  readonly runs: number;
  readonly blocks: number;
  /** Gaps between neighbouring runs by their width in blocks, up to the widest that is worth a thought. */
  readonly byWidth: Uint32Array;
  /** Runs by their length in blocks; at `longRunBlocks` the blocks of all that are as long or longer. */
  readonly byLength: Uint32Array;
}

/** One pass over the ranges. */
export function countGaps(
  ranges: BlockRanges,
  { low, high }: HeatRange = { low: 0, high: maxHeat },
): GapCounts {
  const { starts, lengths, heats } = ranges;
  const byWidth = new Uint32Array(widestGapBlocks + 1);
  const byLength = new Uint32Array(longRunBlocks + 1);
  let runs = 0;
  let blocks = 0;
  let end = -1;
  let length = 0;
  const endRun = () => {
    if (length >= longRunBlocks) byLength[longRunBlocks]! += length;
    else if (length > 0) byLength[length]! += 1;
    length = 0;
  };
  for (let i = 0; i < starts.length; i++) {
    if (heats[i]! < low || heats[i]! > high) continue;
    const gap = starts[i]! - end;
    if (end < 0 || gap > 0) {
      runs += 1;
      endRun();
    }
    if (end >= 0 && gap > 0 && gap <= widestGapBlocks) byWidth[gap]! += 1;
    blocks += lengths[i]!;
    length += lengths[i]!;
    end = starts[i]! + lengths[i]!;
  }
  endRun();
  return { runs, blocks, byWidth, byLength };
}

/** Operations that it takes to read all runs straight into the pool. */
function piecesIn({ runs, byLength }: GapCounts, cost: DeviceCost): number {
  if (cost.pieceBlocks === undefined) return runs;
  const long = byLength[longRunBlocks]!;
  let pieces = long === 0 ? 0 : piecesOf(cost, long);
  for (let length = 1; length < longRunBlocks; length++) pieces += byLength[length]! * piecesOf(cost, length);
  return pieces;
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
  const pieces = piecesIn(gaps, cost);
  return priced(cost, gaps, {
    gapBlocks: by.gapBlocks,
    bridged,
    gapTotal,
    pieces,
    blockBytes: by.blockBytes,
  });
}

/** The gap with which the whole is read soonest; of equals the narrowest, which reads least. */
export function cheapestGap(cost: DeviceCost, gaps: GapCounts, blockBytes: number): GapChoice {
  let bridged = 0;
  let gapTotal = 0;
  const pieces = piecesIn(gaps, cost);
  let best = priced(cost, gaps, { gapBlocks: 0, bridged, gapTotal, pieces, blockBytes });
  for (let gapBlocks = 1; gapBlocks <= widestGapBlocks; gapBlocks++) {
    const count = gaps.byWidth[gapBlocks]!;
    if (count === 0) continue;
    bridged += count;
    gapTotal += count * gapBlocks;
    const choice = priced(cost, gaps, { gapBlocks, bridged, gapTotal, pieces, blockBytes });
    if (choice.ms < best.ms) best = choice;
  }
  return best;
}

function priced(
  cost: DeviceCost,
  gaps: GapCounts,
  at: { gapBlocks: number; bridged: number; gapTotal: number; pieces: number; blockBytes: number },
): GapChoice {
  const { gapBlocks, bridged, gapTotal, pieces, blockBytes } = at;
  const places = gaps.runs - bridged;
  const bytes = (gaps.blocks + gapTotal) * blockBytes;
  const secondPassMs = gaps.blocks * blockBytes * secondPassByteMs;
  // Both neighbours of a bridged gap are read through, and again out of the OS cache.
  const twice = gaps.runs === 0 ? 0 : Math.min(1, (2 * bridged) / gaps.runs);
  const operations = places + (1 - twice) * (pieces - gaps.runs);
  const someMs = estimateMs(cost, operations, bytes) + twice * secondPassMs;
  const allMs = estimateMs(cost, places, bytes) + secondPassMs;
  return allMs < someMs
    ? { gapBlocks, operations: places, bytes, ms: allMs }
    : { gapBlocks, operations, bytes, ms: someMs };
}

/** Milliseconds to read these lists, in any order, gaps read through where that is cheaper. */
export function readMs(
  cost: DeviceCost,
  lists: readonly BlockRanges[],
  by: Partial<HeatRange> & { readonly blockBytes: number },
): number {
  const { blockBytes, low = 0, high = maxHeat } = by;
  return cheapestGap(cost, countAllGaps(lists, { low, high }), blockBytes).ms;
}

/** Of several lists together. */
export function countAllGaps(lists: readonly BlockRanges[], range?: HeatRange): GapCounts {
  const counts = lists.map((ranges) => countGaps(ranges, range));
  const byWidth = new Uint32Array(widestGapBlocks + 1);
  const byLength = new Uint32Array(longRunBlocks + 1);
  let [runs, blocks] = [0, 0];
  for (const one of counts) {
    runs += one.runs;
    blocks += one.blocks;
    for (let width = 1; width <= widestGapBlocks; width++) byWidth[width]! += one.byWidth[width]!;
    for (let length = 1; length <= longRunBlocks; length++) byLength[length]! += one.byLength[length]!;
  }
  return { runs, blocks, byWidth, byLength };
}

/** What may be read in any order has one rank. */
interface Ranked {
  readonly ranges: BlockRanges;
  readonly rank: number;
}

/**
 * For each cost and segment of a plan the gap to read through, asked for once for each step. One for all of a rank, for
 * a device's limits hold for their sum; where two neighbouring widths use up one limit each, steps take turns with them.
 * Counts the gaps of a rank when it is first asked for.
 */
export function gapChooser(
  segments: readonly Ranked[],
  blockBytes: number,
): (cost: DeviceCost) => (segment: number) => number {
  const counted = new Map<number, GapCounts>();
  const countRank = (rank: number) => {
    const counts = countAllGaps(segments.filter((one) => one.rank === rank).map(({ ranges }) => ranges));
    counted.set(rank, counts);
    return counts;
  };
  /** By rank: what the steps so far should have been read with the wider gap, and were not. */
  const owed = new Map<number, number>();
  return (cost) => (segment) => {
    const { rank } = segments[segment]!;
    const mix = mixGaps(cost, counted.get(rank) ?? countRank(rank), blockBytes);
    const due = (owed.get(rank) ?? 0) + mix.wideShare;
    const wide = due >= 0.5;
    owed.set(rank, wide ? due - 1 : due);
    return wide ? mix.wide : mix.narrow;
  };
}

/** Two gaps, and the part of the blocks to be read with the wider one. */
export interface GapMix {
  readonly narrow: number;
  readonly wide: number;
  readonly wideShare: number;
}

/**
 * With one gap for all, a device that has a limit of each (`max`) is held up by one and leaves the other unused: the next
 * gap on its other side is mixed in until both are used up.
 */
export function mixGaps(cost: DeviceCost, gaps: GapCounts, blockBytes: number): GapMix {
  const best = cheapestGap(cost, gaps, blockBytes);
  const alone = { narrow: best.gapBlocks, wide: best.gapBlocks, wideShare: 0 };
  if (cost.rule !== 'max') return alone;
  /** Above 0 the operations hold it up. */
  const excessOf = ({ operations, bytes }: GapChoice) => operations * cost.operationMs - bytes * cost.byteMs;
  const excess = excessOf(best);
  const step = excess > 0 ? 1 : -1;
  let beside = best.gapBlocks + step;
  while (beside > 0 && beside <= widestGapBlocks && gaps.byWidth[beside]! === 0) beside += step;
  if (beside < 0 || beside > widestGapBlocks) return alone;
  const other = priceGap(cost, gaps, { gapBlocks: beside, blockBytes });
  const otherExcess = excessOf(other);
  if (excess * otherExcess >= 0) return alone;
  const otherShare = excess / (excess - otherExcess);
  return step > 0
    ? { narrow: best.gapBlocks, wide: beside, wideShare: otherShare }
    : { narrow: beside, wide: best.gapBlocks, wideShare: 1 - otherShare };
}
