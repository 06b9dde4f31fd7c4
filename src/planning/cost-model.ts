import { type BlockRanges, maxHeat } from './block-ranges.ts';

/**
 * What one read of a device costs: `operationMs` for every place on it that is gone to, plus
 * `byteMs` a byte. A run of adjacent blocks is one operation however the kernel cuts it: read-ahead's
 * requests inside a run are in proportion to its bytes, so they are learned as part of `byteMs`, and
 * what read-ahead overshoots behind a run as part of `operationMs`.
 */
export interface DeviceCost {
  readonly operationMs: number;
  readonly byteMs: number;
}

/** One piece of reading, measured. */
export interface ReadSample {
  readonly operations: number;
  readonly bytes: number;
  readonly ms: number;
}

/** A device's cost as believed now. Immutable: `learn` gives the next one. */
export interface CostModel extends DeviceCost {
  /** Samples behind the figures, aged; 0 is the prior alone. */
  readonly weight: number;
  readonly prior: DeviceCost & { readonly weight: number };
  /** The newest samples, oldest first. */
  readonly samples: readonly ReadSample[];
}

/** The common cloud volume: 125 MB/s and 3,000 operations a second. */
export const cloudVolume: DeviceCost = { operationMs: 1 / 3, byteMs: 8e-6 };

const windowSamples = 64;
const ageing = 0.96;
/** 20 GB/s: no device is faster, and a cost of nothing would make every gap worth bridging. */
const leastByteMs = 5e-8;
/** Beyond this many scales off, a sample counts less: a chunk that stalled says nothing of the device. */
const outlierScales = 2.5;
/** How far the prior may be off, in multiples of itself: bandwidth varies far less between devices than seeks. */
const priorTrust = 0.05;
const priorSpread = { operation: 8, byte: 1.5 };

/** A model from what is known already: nothing, or the figures that an earlier run published. */
export function createCostModel(known?: DeviceCost & { readonly weight?: number }): CostModel {
  const { operationMs, byteMs } = known ?? cloudVolume;
  const weight = Math.min(known?.weight ?? 0, windowSamples / 4);
  const prior = { operationMs: Math.max(0, operationMs), byteMs: Math.max(leastByteMs, byteMs), weight };
  return { operationMs: prior.operationMs, byteMs: prior.byteMs, weight, prior, samples: [] };
}

export function estimateMs(cost: DeviceCost, operations: number, bytes: number): number {
  return operations * cost.operationMs + bytes * cost.byteMs;
}

/** The widest gap that is cheaper to read through than to go around, in blocks. */
export function bridgeableGapBlocks(cost: DeviceCost, blockBytes: number, limitBlocks = 256): number {
  const bytes = cost.operationMs / Math.max(cost.byteMs, leastByteMs);
  return Math.min(limitBlocks, Math.floor(bytes / blockBytes));
}

/** Takes in one measured read. Reads of no bytes or no time teach nothing. */
export function learn(model: CostModel, sample: ReadSample): CostModel {
  if (!(sample.ms > 0) || !(sample.bytes > 0) || !(sample.operations >= 0) || !Number.isFinite(sample.ms)) {
    return model;
  }
  const ms = Math.min(Math.max(sample.ms, 1e-3), 3.6e6);
  const samples = [...model.samples.slice(1 - windowSamples), { ...sample, ms }];
  const weight =
    model.prior.weight * ageing ** samples.length + (1 - ageing ** samples.length) / (1 - ageing);
  return { ...model, ...regress(samples, model.prior), samples, weight };
}

/**
 * Least squares of relative errors over the window, never negative, held near the prior as far as
 * the samples leave it open; reweighted so that outliers lose their pull.
 */
function regress(samples: readonly ReadSample[], prior: CostModel['prior']): DeviceCost {
  let cost: DeviceCost = prior;
  let scale = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 8; round++) {
    const predicted = (s: ReadSample) => Math.max(1e-6, estimateMs(cost, s.operations, s.bytes));
    // Relative to the measured time at first: the prior may be wrong by orders of magnitude.
    const size = (s: ReadSample) => (round === 0 ? s.ms : Math.sqrt(predicted(s) * s.ms));
    const pull = (s: ReadSample) => {
      const off = Math.abs(Math.log(s.ms / predicted(s)));
      return off <= outlierScales * scale ? 1 : ((outlierScales * scale) / off) ** 2;
    };
    cost = solve(
      samples.map((s, i) => ({ ...s, w: (ageing ** (samples.length - 1 - i) * pull(s)) / size(s) ** 2 })),
      prior,
    );
    if (samples.length >= 4) {
      const errors = samples.map((s) => Math.abs(Math.log(s.ms / predicted(s)))).sort((a, b) => a - b);
      scale = Math.max(0.05, 1.5 * errors[Math.floor(errors.length / 2)]!);
    }
  }
  return cost;
}

function solve(rows: readonly (ReadSample & { w: number })[], prior: CostModel['prior']): DeviceCost {
  // As forgotten as the samples are old, but never wholly: alike samples leave one direction open.
  const trust = priorTrust * (1 + prior.weight) * Math.max(0.1, ageing ** rows.length);
  const op = trust / (priorSpread.operation * Math.max(prior.operationMs, 0.01)) ** 2;
  const byte = trust / (priorSpread.byte * prior.byteMs) ** 2;
  let oo = op;
  let ob = 0;
  let bb = byte;
  let ot = oo * prior.operationMs;
  let bt = bb * prior.byteMs;
  for (const { operations: o, bytes: b, ms, w } of rows) {
    oo += w * o * o;
    ob += w * o * b;
    bb += w * b * b;
    ot += w * o * ms;
    bt += w * b * ms;
  }
  const determinant = oo * bb - ob * ob;
  let operationMs = (ot * bb - bt * ob) / determinant;
  let byteMs = (bt * oo - ot * ob) / determinant;
  if (!(operationMs >= 0)) {
    operationMs = 0;
    byteMs = bt / bb;
  }
  if (!(byteMs >= leastByteMs)) {
    byteMs = leastByteMs;
    operationMs = Math.max(0, (ot - ob * byteMs) / oo);
  }
  return { operationMs, byteMs };
}

/** Heats to look at; the others are as if they were not there. */
export interface HeatRange {
  readonly low: number;
  readonly high: number;
}

const anyHeat: HeatRange = { low: 0, high: maxHeat };

/** Operations and bytes of reading these ranges with gaps bridged up to `gapBlocks`. */
export function readingOf(
  ranges: BlockRanges,
  by: { readonly gapBlocks: number; readonly blockBytes: number },
  band: HeatRange = anyHeat,
): { readonly operations: number; readonly bytes: number } {
  const { starts, lengths, heats } = ranges;
  let operations = 0;
  let blocks = 0;
  let end = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < starts.length; i++) {
    if (heats[i]! < band.low || heats[i]! > band.high) continue;
    const gap = starts[i]! - end;
    if (gap > by.gapBlocks) operations += 1;
    else blocks += gap;
    blocks += lengths[i]!;
    end = starts[i]! + lengths[i]!;
  }
  return { operations, bytes: blocks * by.blockBytes };
}

/** Milliseconds to read these ranges in block order, gaps bridged as this cost says. */
export function readMs(
  cost: DeviceCost,
  ranges: BlockRanges,
  by: Partial<HeatRange> & { readonly blockBytes: number },
): number {
  const { blockBytes, low = 0, high = maxHeat } = by;
  const gapBlocks = bridgeableGapBlocks(cost, blockBytes);
  const { operations, bytes } = readingOf(ranges, { gapBlocks, blockBytes }, { low, high });
  return estimateMs(cost, operations, bytes);
}
