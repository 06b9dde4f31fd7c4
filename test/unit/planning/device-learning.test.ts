import { describe, expect, it } from 'vitest';
import { rangesOf } from '../../../src/planning/block-ranges.ts';
import { createCostModel } from '../../../src/planning/cost-model.ts';
import {
  boundStep,
  cuttingCost,
  type DeviceLearning,
  endLearning,
  learnStep,
  startLearning,
} from '../../../src/planning/device-learning.ts';
import { nextStep, startCursor } from '../../../src/planning/extents.ts';
import { cheapestGap, countGaps, gapChooser } from '../../../src/planning/gaps.ts';
import { stepBy } from './synthetic-device.ts';

const blockBytes = 8192;
/** Runs of 15 blocks with gaps of 8 between, as a skewed load leaves them. */
const ranges = rangesOf(Array.from({ length: 6_000 }, (_, i) => [i * 23, 15, 3] as const));
const segments = [{ relation: 'r', tier: 'pool' as const, rank: 0, ranges }];

const allowed = { wantedBlocks: 1024, readBlocks: 4096, spans: 2048, places: 2048, predictedMs: 1000 };

/** Reads it all from a device that lets reads through in slices of 100 ms. */
function readFrom(device: { operationMs: number; byteMs: number }, learning: DeviceLearning) {
  let now = learning;
  let cursor = startCursor;
  let owedMs = 0;
  for (;;) {
    const limits = boundStep(now, allowed);
    const model = cuttingCost(now);
    const gapBlocks = gapChooser(segments, blockBytes)(model);
    const next = nextStep(segments, cursor, { model, gapBlocks, blockBytes, limits });
    if (next === null) return endLearning(now);
    cursor = next.cursor;
    owedMs += next.step.operations * device.operationMs + next.step.bytes * device.byteMs;
    const tookMs = Math.max(5, Math.floor(owedMs / 100) * 100);
    owedMs -= tookMs === 5 ? 0 : tookMs;
    now = learnStep(now, next.step, tookMs);
  }
}

const factor = (learning: DeviceLearning) => cuttingCost(learning).operationMs / learning.model.operationMs;

describe('learning a device in windows', () => {
  it.each([
    ['hdd', { operationMs: 5, byteMs: 1e-5 }, true],
    ['gp3', { operationMs: 0.02, byteMs: 8e-6 }, false],
  ])('finds whether gaps pay on %s, though it answers in slices', (_, device, bridges) => {
    const { model } = readFrom(device, startLearning(createCostModel()));
    const { gapBlocks } = cheapestGap(model, countGaps(ranges), blockBytes);
    if (bridges) expect(gapBlocks).toBeGreaterThanOrEqual(8);
    else expect(gapBlocks).toBeLessThan(8);
  });

  it('takes a statement of few blocks for no slow device', () => {
    const known = createCostModel({ operationMs: 0.3, byteMs: 8e-6, rule: 'max', weight: 12 });
    let learning = startLearning(known);
    const tiny = stepBy(known, rangesOf([[0, 1, 3]]))!.step;
    expect(tiny).toMatchObject({ operations: 1, bytes: blockBytes });
    for (let i = 0; i < 2_000; i++) learning = learnStep(learning, tiny, 1.5);
    expect(learning.windows).toBeGreaterThan(3);
    expect(learning.model.operationMs).toBeLessThan(0.8);
  });

  it('varies the cut until it knows the device', () => {
    const unknown = startLearning(createCostModel());
    expect([0, 1, 2, 3, 6].map((windows) => factor({ ...unknown, windows }))).toEqual([8, 3, 1, 1, 1]);
    const known = startLearning(createCostModel({ operationMs: 1, byteMs: 1e-5, weight: 12 }));
    expect([0, 1, 2, 3, 6].map((windows) => factor({ ...known, windows }))).toEqual([1, 1, 1, 1, 1]);
  });

  it.each([
    { bound: 'places', sample: { operations: 300, bytes: 1e6, ms: 300 }, wide: true },
    { bound: 'bytes', sample: { operations: 3, bytes: 3e7, ms: 300 }, wide: false },
  ])('then seldom, away from what holds reads up: $bound', ({ sample, wide }) => {
    const known = createCostModel({ operationMs: 1, byteMs: 1e-5, weight: 12 });
    const at = (windows: number) => factor({ ...startLearning({ ...known, samples: [sample] }), windows });
    expect([8, 9, 14].map(at)).toEqual([1, 1, 1]);
    if (wide) expect(at(15)).toBeGreaterThan(1);
    else expect(at(15)).toBeLessThan(1);
  });

  it('has small steps cut until it knows the device', () => {
    const unknown = startLearning(createCostModel());
    const bounds = [0, 1, 2, 3, 9].map((windows) => boundStep({ ...unknown, windows }, allowed));
    expect(bounds.map(({ wantedBlocks }) => wantedBlocks)).toEqual([256, 256, 512, 1024, 1024]);
    expect(bounds.map(({ readBlocks }) => readBlocks)).toEqual([1024, 1024, 2048, 4096, 4096]);
    expect(bounds.map(({ places }) => places)).toEqual([16, 16, 32, 64, 2048]);
    const known = startLearning(createCostModel({ operationMs: 1, byteMs: 1e-5, weight: 12 }));
    expect(boundStep(known, allowed)).toEqual(allowed);
  });

  it('keeps what is pending until a window is full', () => {
    const start = startLearning(createCostModel());
    const { step } = stepBy(start.model, ranges)!;
    const once = learnStep(start, step, 100);
    expect(once).toMatchObject({ windows: 0, model: start.model });
    const full = learnStep(learnStep(once, step, 100), step, 100);
    expect(full).toMatchObject({ windows: 1, pending: { operations: 0, bytes: 0, ms: 0 } });
    expect(endLearning(once)).toMatchObject({ windows: 0, pending: { ms: 0 } });
  });
});
