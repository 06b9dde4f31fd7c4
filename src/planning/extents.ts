import type { BlockRanges } from './block-ranges.ts';
import { bridgeableGapBlocks, type CostModel, type DeviceCost, estimateMs, learn } from './cost-model.ts';

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
  /** By the current model; a step has at least one span even so. */
  readonly predictedMs: number;
}

/** 4 MiB of wanted 8 KiB blocks. */
export const defaultStepLimits: StepLimits = {
  wantedBlocks: 512,
  readBlocks: 2048,
  spans: 256,
  predictedMs: 500,
};

/** One piece of reading of one relation, cut by what is known of the device at this moment. */
export interface ReadStep<R> {
  readonly relation: R;
  readonly tier: 'pool' | 'os';
  /** Runs with gaps bridged, to go through the disk first; only those that hold a gap. Often empty. */
  readonly readThrough: FlatSpans;
  readonly wanted: FlatSpans;
  readonly wantedBlocks: number;
  /** Read to get over gaps; they never count as warmed. */
  readonly bridgedBlocks: number;
  /** Places of the disk that are gone to. */
  readonly operations: number;
  /** What crosses the disk: wanted and bridged. */
  readonly bytes: number;
  /** Wanted bytes that are read again out of the OS cache, behind `readThrough`. */
  readonly secondPassBytes: number;
  readonly predictedMs: number;
}

/** A second pass takes blocks from the OS cache into the pool: about 12 µs for each 8 KiB. */
export const secondPassByteMs = 1.5e-6;

/** The next bounded step and the place behind it; null at the end. Linear in the step, whatever the plan's size. */
export function nextStep<R>(
  segments: readonly Readable<R>[],
  cursor: Cursor,
  context: { readonly model: DeviceCost; readonly blockBytes: number; readonly limits?: StepLimits },
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
  const gapBlocks = bridgeableGapBlocks(model, blockBytes);
  const { starts, lengths } = from.ranges;
  const wanted: number[] = [];
  let wantedBlocks = 0;
  let readBlocks = 0;
  let predictedMs = 0;
  let end = Number.NEGATIVE_INFINITY;
  while (range < starts.length && wantedBlocks < limits.wantedBlocks && readBlocks < limits.readBlocks) {
    const start = starts[range]! + offset;
    const gap = start - end;
    const adjacent = gap === 0;
    const bridged = gap <= gapBlocks ? gap : 0;
    const take = Math.min(lengths[range]! - offset, limits.wantedBlocks - wantedBlocks);
    const ms = estimateMs(model, adjacent || bridged > 0 ? 0 : 1, (take + bridged) * blockBytes);
    if (wanted.length > 0) {
      const full = !adjacent && wanted.length >= 2 * limits.spans;
      if (full || readBlocks + bridged + take > limits.readBlocks || predictedMs + ms > limits.predictedMs)
        break;
    }
    if (adjacent) wanted[wanted.length - 1] = start + take;
    else wanted.push(start, start + take);
    end = start + take;
    wantedBlocks += take;
    readBlocks += take + bridged;
    predictedMs += ms;
    offset += take;
    if (offset < lengths[range]!) break;
    range += 1;
    offset = 0;
  }
  const shape = bridge(wanted, gapBlocks, { model, blockBytes });
  const step = { relation: from.relation, tier: from.tier, wanted, wantedBlocks, ...shape };
  return {
    step: { ...step, bytes: (wantedBlocks + shape.bridgedBlocks) * blockBytes },
    cursor: { segment, range, offset },
  };
}

/** Bridges the gaps of a step where that pays for reading the wanted blocks a second time. */
function bridge(wanted: FlatSpans, gapBlocks: number, by: { model: DeviceCost; blockBytes: number }) {
  const { model, blockBytes } = by;
  const readThrough: number[] = [];
  let bridgedBlocks = 0;
  let operations = 0;
  let secondPassBlocks = 0;
  let wantedBlocks = 0;
  for (let i = 0; i < wanted.length; ) {
    let to = i + 2;
    let blocks = wanted[i + 1]! - wanted[i]!;
    let gaps = 0;
    while (to < wanted.length && wanted[to]! - wanted[to - 1]! <= gapBlocks) {
      gaps += wanted[to]! - wanted[to - 1]!;
      blocks += wanted[to + 1]! - wanted[to]!;
      to += 2;
    }
    const spans = (to - i) / 2;
    const costMs = gaps * blockBytes * model.byteMs + blocks * blockBytes * secondPassByteMs;
    wantedBlocks += blocks;
    if (spans > 1 && costMs < (spans - 1) * model.operationMs) {
      readThrough.push(wanted[i]!, wanted[to - 1]!);
      bridgedBlocks += gaps;
      secondPassBlocks += blocks;
      operations += 1;
    } else {
      operations += spans;
    }
    i = to;
  }
  const secondPassBytes = secondPassBlocks * blockBytes;
  const diskMs = estimateMs(model, operations, (wantedBlocks + bridgedBlocks) * blockBytes);
  const predictedMs = diskMs + secondPassBytes * secondPassByteMs;
  return { readThrough, bridgedBlocks, operations, secondPassBytes, predictedMs };
}

/** Teaches the model what a step took. */
export function learnFromStep(model: CostModel, step: ReadStep<unknown>, ms: number): CostModel {
  const diskMs = Math.max(ms / 2, ms - step.secondPassBytes * secondPassByteMs);
  return learn(model, { operations: step.operations, bytes: step.bytes, ms: diskMs });
}
