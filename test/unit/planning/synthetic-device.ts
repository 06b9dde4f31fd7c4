import { type BlockRanges, rangesOf } from '../../../src/planning/block-ranges.ts';
import type { CostModel } from '../../../src/planning/cost-model.ts';
import { type Cursor, nextStep, type ReadStep, startCursor } from '../../../src/planning/extents.ts';
import { countGaps, gapChooser, priceGap, secondPassByteMs } from '../../../src/planning/gaps.ts';

export const blockBytes = 8192;

/** A disk with a limit of bytes and of operations a second. */
export interface SyntheticDevice {
  readonly name: string;
  readonly bytesPerSecond: number;
  readonly operationsPerSecond: number;
  /** `sum`: both are waited for in turn, as a seek and a transfer are; `max`: the scarcer one limits, as a cloud's quota does. */
  readonly rule: 'sum' | 'max';
}

export const gp3 = { name: 'gp3', bytesPerSecond: 125e6, operationsPerSecond: 3000 };
export const hdd = { name: 'hdd', bytesPerSecond: 100e6, operationsPerSecond: 200 };

export function deviceMs(device: SyntheticDevice, operations: number, bytes: number): number {
  const byteMs = (bytes / device.bytesPerSecond) * 1000;
  const operationMs = (operations / device.operationsPerSecond) * 1000;
  return device.rule === 'sum' ? byteMs + operationMs : Math.max(byteMs, operationMs);
}

export function stepMs(device: SyntheticDevice, step: ReadStep<unknown>): number {
  return deviceMs(device, step.operations, step.bytes) + step.secondPassBytes * secondPassByteMs;
}

/** Time of the whole with one gap for all, and the least of any gap. */
export function gapMs(device: SyntheticDevice, ranges: BlockRanges, gapBlocks: number): number {
  const anyCost = { operationMs: 1, byteMs: 1e-5, rule: 'sum' } as const;
  const { operations, bytes } = priceGap(anyCost, countGaps(ranges), { gapBlocks, blockBytes });
  return deviceMs(device, operations, bytes);
}

/** The next step of one relation's ranges, its gap chosen by the model. */
export function stepBy(model: CostModel, ranges: BlockRanges, cursor: Cursor = startCursor) {
  return stepper(ranges)(model, cursor);
}

/** Counts the gaps once for all steps, as a reading does. */
export function stepper(ranges: BlockRanges) {
  const segments = [{ relation: 't', tier: 'pool' as const, rank: 0, ranges }];
  const gapBlocksBy = gapChooser(segments, blockBytes);
  return (model: CostModel, cursor: Cursor) =>
    nextStep(segments, cursor, { model, blockBytes, gapBlocks: gapBlocksBy(model) });
}

export function leastGapMs(device: SyntheticDevice, ranges: BlockRanges): number {
  return Math.min(...Array.from({ length: 257 }, (_, gap) => gapMs(device, ranges, gap)));
}

/** Uniform numbers in [0, 1), the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A skewed load's work set: runs of 15 blocks on average, gaps from one block to hundreds. */
export function skewedRanges(random: () => number, runs: number): BlockRanges {
  const triples: [number, number, number][] = [];
  let at = 0;
  for (let i = 0; i < runs; i++) {
    at += 1 + Math.floor(2 ** (random() * 8));
    const length = 1 + Math.floor(-Math.log(1 - random()) * 15);
    triples.push([at, length, 1 + Math.floor(random() * 5)]);
    at += length;
  }
  return rangesOf(triples);
}

/** What a measurement adds: a tenth of noise, and now and then a stall. */
export function noisy(ms: number, random: () => number): number {
  const noise = Math.exp((random() + random() + random() - 1.5) * 0.2);
  return random() < 0.03 ? ms * 10 : ms * noise;
}
