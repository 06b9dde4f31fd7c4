import type { BlockRanges } from './block-ranges.ts';
import { type DeviceCost, estimateMs, piecesOf } from './cost-model.ts';
import { secondPassByteMs } from './gaps.ts';

/** Half-open block spans, flat: start0, end0, start1, end1, … */
export type FlatSpans = readonly number[];

/** What is to be read of one relation into one tier, in block order. */
export interface Readable<R> {
  readonly relation: R;
  readonly tier: 'pool' | 'os';
  readonly ranges: BlockRanges;
}

/** A place in a list of segments. */
export interface Cursor {
  readonly segment: number;
  readonly range: number;
  /** Blocks of that range already behind. */
  readonly offset: number;
}

export const startCursor: Cursor = { segment: 0, range: 0, offset: 0 };

/** Bounds of one step, so that progress, cancel and throttle stay fine-grained. */
export interface StepLimits {
  readonly wantedBlocks: number;
  /** Wanted and bridged together. */
  readonly readBlocks: number;
  readonly spans: number;
  /** Places of the disk that are gone to. */
  readonly places: number;
  /** By the current model; a step has at least one span even so. */
  readonly predictedMs: number;
}

/** 4 MiB of wanted 8 KiB blocks. */
export const defaultStepLimits: StepLimits = {
  wantedBlocks: 512,
  readBlocks: 2048,
  spans: 256,
  places: 256,
  predictedMs: 500,
};

/** The shortest step at the end of a plan: 1 MiB of 8 KiB blocks. */
const leastStepBlocks = 128;

/**
 * Wanted blocks of the next step, ever fewer towards the end of a plan (guided self-scheduling): all connections end at
 * about one time, and little is under way whose progress is not known yet.
 */
export function stepBlocks(
  leftBlocks: number,
  { connections, mostBlocks }: { readonly connections: number; readonly mostBlocks: number },
): number {
  const share = Math.ceil(leftBlocks / connections);
  return Math.min(mostBlocks, Math.max(leastStepBlocks, share));
}

/** A step of so many of its blocks ends where a new place begins: to end within a run goes to its place twice. */
const nearlyFull = 0.75;

/** One piece of reading of one relation, cut by what is known of the device at this moment. */
export interface ReadStep<R> {
  readonly relation: R;
  readonly tier: 'pool' | 'os';
  /** All runs of the step, to go through the disk first, where any bridges a gap or that is faster; else empty. */
  readonly readThrough: FlatSpans;
  readonly wanted: FlatSpans;
  readonly wantedBlocks: number;
  /** Read to get over gaps; they never count as warmed. */
  readonly bridgedBlocks: number;
  /** Places of the disk that are gone to; of runs that go straight into the pool their pieces. */
  readonly operations: number;
  /** What crosses the disk: wanted and bridged. */
  readonly bytes: number;
  /** Wanted bytes that are read again out of the OS cache, behind `readThrough`. */
  readonly secondPassBytes: number;
  readonly predictedMs: number;
}

export interface StepContext {
  readonly model: DeviceCost;
  readonly blockBytes: number;
  /** The widest gap to read through, by the segment's number. */
  readonly gapBlocks: (segment: number) => number;
  readonly limits?: StepLimits;
}

/** The next bounded step and the place behind it; null at the end. Linear in the step, whatever the plan's size. */
export function nextStep<R>(
  segments: readonly Readable<R>[],
  cursor: Cursor,
  context: StepContext,
): { readonly step: ReadStep<R>; readonly cursor: Cursor } | null {
  let { segment, range, offset } = cursor;
  while (segment < segments.length && range >= segments[segment]!.ranges.starts.length) {
    segment += 1;
    range = 0;
    offset = 0;
  }
  const from = segments[segment];
  if (from === undefined) return null;
  const { model, blockBytes, limits = defaultStepLimits } = context;
  const gapBlocks = context.gapBlocks(segment);
  const { starts, lengths } = from.ranges;
  const wanted: number[] = [];
  let wantedBlocks = 0;
  let readBlocks = 0;
  let operations = 0;
  let end = Number.NEGATIVE_INFINITY;
  while (range < starts.length && wantedBlocks < limits.wantedBlocks && readBlocks < limits.readBlocks) {
    const start = starts[range]! + offset;
    const gap = start - end;
    const adjacent = gap === 0;
    const bridged = gap <= gapBlocks ? gap : 0;
    if (!adjacent && bridged === 0 && wantedBlocks >= nearlyFull * limits.wantedBlocks) break;
    const take = Math.min(lengths[range]! - offset, limits.wantedBlocks - wantedBlocks);
    const places = operations + (adjacent || bridged > 0 ? 0 : 1);
    const blocks = readBlocks + bridged + take;
    if (wanted.length > 0) {
      const full = !adjacent && wanted.length >= 2 * limits.spans;
      const long = estimateMs(model, places, blocks * blockBytes) > limits.predictedMs;
      if (full || long || places > limits.places || blocks > limits.readBlocks) break;
    }
    if (adjacent) wanted[wanted.length - 1] = start + take;
    else wanted.push(start, start + take);
    end = start + take;
    wantedBlocks += take;
    readBlocks = blocks;
    operations = places;
    offset += take;
    if (offset < lengths[range]!) break;
    range += 1;
    offset = 0;
  }
  const shape = bridge(wanted, gapBlocks, { model, blockBytes, tier: from.tier });
  const step = { relation: from.relation, tier: from.tier, wanted, wantedBlocks, ...shape };
  return {
    step: { ...step, bytes: (wantedBlocks + shape.bridgedBlocks) * blockBytes },
    cursor: { segment, range, offset },
  };
}

/** Joins what lies no farther apart than the gap. All goes through the OS cache where that holds a gap, or saves more operations than its second pass takes. */
function bridge(
  wanted: FlatSpans,
  gapBlocks: number,
  by: { model: DeviceCost; blockBytes: number; tier: 'pool' | 'os' },
) {
  const { model, blockBytes, tier } = by;
  const runs: number[] = [];
  let bridgedBlocks = 0;
  let wantedBlocks = 0;
  let pieces = 0;
  for (let i = 0; i < wanted.length; i += 2) {
    const [start, end] = [wanted[i]!, wanted[i + 1]!];
    wantedBlocks += end - start;
    // Into the OS cache alone a run is read through at once.
    pieces += tier === 'os' ? 1 : piecesOf(model, end - start);
    const gap = start - (runs.at(-1) ?? Number.NEGATIVE_INFINITY);
    if (gap <= gapBlocks) {
      bridgedBlocks += gap;
      runs[runs.length - 1] = end;
    } else runs.push(start, end);
  }
  const places = runs.length / 2;
  const bytes = (wantedBlocks + bridgedBlocks) * blockBytes;
  const wantedBytes = wantedBlocks * blockBytes;
  const throughMs = estimateMs(model, places, bytes) + wantedBytes * secondPassByteMs;
  const straightMs = estimateMs(model, pieces, wantedBytes);
  return bridgedBlocks > 0 || throughMs < straightMs
    ? {
        ...{ readThrough: runs, bridgedBlocks, operations: places },
        ...{ secondPassBytes: wantedBytes, predictedMs: throughMs },
      }
    : { readThrough: [], bridgedBlocks, operations: pieces, secondPassBytes: 0, predictedMs: straightMs };
}
