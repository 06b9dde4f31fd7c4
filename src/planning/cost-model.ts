/**
 * What one read of a device costs: `operationMs` for every place on it that is gone to, and `byteMs` a
 * byte. A run of adjacent blocks that is read through is one operation however the kernel cuts it: requests inside
 * a run are in proportion to its bytes, so they are learned as part of `byteMs`.
 */
export interface DeviceCost {
  readonly operationMs: number;
  readonly byteMs: number;
  /**
   * `sum`: operations and bytes are waited for in turn, as a seek and a transfer are.
   * `max`: each has a limit of its own and the scarcer one decides, as with a cloud volume's quotas.
   */
  readonly rule: 'sum' | 'max';
  /** Blocks of a run that one operation brings straight into the pool; all of them where left out. */
  readonly pieceBlocks?: number | undefined;
}

/** A run this long is read in larger pieces: what is read ahead behind its end is a small part of it. */
export const longRunBlocks = 256;

/** Operations that it takes to read a run straight into the pool. */
export function piecesOf({ pieceBlocks }: DeviceCost, runBlocks: number): number {
  if (pieceBlocks === undefined) return 1;
  return Math.ceil(runBlocks / (runBlocks < longRunBlocks ? pieceBlocks : longRunBlocks));
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
export const cloudVolume: DeviceCost = { operationMs: 1 / 3, byteMs: 8e-6, rule: 'max' };

const windowSamples = 64;
/** Weight of a sample for each newer one. */
export const ageing = 0.96;
/** 20 GB/s: no device is faster, and a cost of nothing would make every gap worth bridging. */
export const leastByteMs = 5e-8;

/** A model from what is known already: nothing, or the figures that an earlier run published. */
export function createCostModel(
  known: Pick<DeviceCost, 'operationMs' | 'byteMs'> & {
    readonly rule?: DeviceCost['rule'] | undefined;
    readonly weight?: number;
  } = cloudVolume,
): CostModel {
  const cost = {
    operationMs: Math.max(0, known.operationMs),
    byteMs: Math.max(leastByteMs, known.byteMs),
    rule: known.rule ?? cloudVolume.rule,
  };
  const weight = Math.min(known.weight ?? 0, windowSamples / 4);
  return { ...cost, weight, prior: { ...cost, weight }, samples: [] };
}

export function estimateMs(cost: DeviceCost, operations: number, bytes: number): number {
  const operationsMs = operations * cost.operationMs;
  const bytesMs = bytes * cost.byteMs;
  return cost.rule === 'sum' ? operationsMs + bytesMs : Math.max(operationsMs, bytesMs);
}

/** The samples with one more; null where it teaches nothing: no bytes, or no time. */
export function withSample(samples: readonly ReadSample[], sample: ReadSample): readonly ReadSample[] | null {
  if (!(sample.ms > 0) || !(sample.bytes > 0) || !(sample.operations >= 0) || !Number.isFinite(sample.ms)) {
    return null;
  }
  const ms = Math.min(Math.max(sample.ms, 1e-3), 3.6e6);
  return [...samples.slice(1 - windowSamples), { ...sample, ms }];
}
