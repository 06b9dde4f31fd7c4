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

/** Which gaps are read through. */
export interface GapRule {
  /** All up to this; 0: none is. */
  readonly gapBlocks: number;
  /**
   * And of those up to `blocks` this part, 0 to 1: where operations and bytes limit each by itself, a mixture
   * uses both up.
   */
  readonly wider?: { readonly blocks: number; readonly part: number };
}

/** Whether the gap before a block is read through; of a part, gaps all over the relation are. */
export function isBridged({ gapBlocks, wider }: GapRule, gap: number, start: number): boolean {
  if (gap <= gapBlocks) return true;
  return wider !== undefined && gap <= wider.blocks && scattered(start) < wider.part;
}

/** A number from 0 to 1 that differs from block to block (Knuth's multiplicative hash). */
const scattered = (block: number): number => (Math.imul(block, 0x9e3779b1) >>> 0) / 2 ** 32;

export interface GapChoice extends GapRule {
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
  let narrower = priced(cost, gaps, { gapBlocks: 0, bridged, gapTotal, blockBytes });
  let best = narrower;
  for (let gapBlocks = 1; gapBlocks <= widestGapBlocks; gapBlocks++) {
    const count = gaps.byWidth[gapBlocks]!;
    if (count === 0) continue;
    const choice = priced(cost, gaps, {
      gapBlocks,
      bridged: bridged + count,
      gapTotal: gapTotal + count * gapBlocks,
      blockBytes,
    });
    const part = evenPart(cost, narrower, choice);
    if (part !== undefined) {
      const mixed = priced(cost, gaps, {
        gapBlocks: narrower.gapBlocks,
        bridged: bridged + count * part,
        gapTotal: gapTotal + count * gapBlocks * part,
        blockBytes,
      });
      if (mixed.ms < best.ms) best = { ...mixed, wider: { blocks: gapBlocks, part } };
    }
    if (choice.ms < best.ms) best = choice;
    bridged += count;
    gapTotal += count * gapBlocks;
    narrower = choice;
  }
  return best;
}

/** The part of the wider gaps with which operations and bytes take equally long; undefined where none does. */
function evenPart(cost: DeviceCost, narrower: GapChoice, wider: GapChoice): number | undefined {
  if (cost.rule !== 'max') return undefined;
  const excess = ({ operations, bytes }: GapChoice) => operations * cost.operationMs - bytes * cost.byteMs;
  const [before, after] = [excess(narrower), excess(wider)];
  return before > 0 && after < 0 ? before / (before - after) : undefined;
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

/** Milliseconds to read these ranges in block order, gaps read through where that is cheaper. */
export function readMs(
  cost: DeviceCost,
  ranges: BlockRanges,
  by: Partial<HeatRange> & { readonly blockBytes: number },
): number {
  const { blockBytes, low = 0, high = maxHeat } = by;
  return cheapestGap(cost, countGaps(ranges, { low, high }), blockBytes).ms;
}

/** For each cost and segment of a plan the gap to read through; counts a segment's gaps when it is first asked for. */
export function gapChooser(
  segments: readonly { readonly ranges: BlockRanges }[],
  blockBytes: number,
): (cost: DeviceCost) => (segment: number) => GapRule {
  const counted: GapCounts[] = [];
  return (cost) => (segment) => {
    counted[segment] ??= countGaps(segments[segment]!.ranges);
    return cheapestGap(cost, counted[segment], blockBytes);
  };
}
