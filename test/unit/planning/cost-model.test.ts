import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { learn } from '../../../src/planning/cost-learning.ts';
import {
  type CostModel,
  cloudVolume,
  createCostModel,
  estimateMs,
} from '../../../src/planning/cost-model.ts';
import { startCursor } from '../../../src/planning/extents.ts';
import { cheapestGap, countGaps, secondPassByteMs } from '../../../src/planning/gaps.ts';
import {
  blockBytes,
  gapMs,
  gp3,
  hdd,
  leastGapMs,
  noisy,
  type SyntheticDevice,
  seeded,
  skewedRanges,
  stepMs,
  stepper,
} from './synthetic-device.ts';

/** Reads a skewed work set with what is learned on the way; the gap after each step, and the time of all. */
function readAll(device: SyntheticDevice, seed: number, known?: CostModel) {
  const random = seeded(seed);
  const ranges = skewedRanges(random, 3000);
  let model = known ?? createCostModel();
  let cursor = startCursor;
  let totalMs = 0;
  const gaps: number[] = [];
  const step = stepper(ranges);
  const counts = countGaps(ranges);
  for (;;) {
    const next = step(model, cursor);
    if (next === null) return { ranges, gaps, totalMs, model };
    const ms = stepMs(device, next.step);
    totalMs += ms;
    const { operations, bytes, secondPassBytes } = next.step;
    const diskMs = noisy(ms, random) - secondPassBytes * secondPassByteMs;
    model = learn(model, { operations, bytes, ms: diskMs });
    gaps.push(cheapestGap(model, counts, blockBytes).gapBlocks);
    cursor = next.cursor;
  }
}

const devices: SyntheticDevice[] = [gp3, hdd].flatMap((d) => [
  { ...d, rule: 'sum' as const },
  { ...d, rule: 'max' as const },
]);

describe.each(devices)('on $name, where costs go by $rule', (device) => {
  const seeds = [1, 77, 991, 4242, 90_001];
  const near = 1.15;
  const fromNothing = seeds.map((seed) => ({ seed, ...readAll(device, seed) }));

  it('the gap comes near the best within twelve chunks of 4 MiB, in spite of noise and stalls', () => {
    for (const { seed, ranges, gaps } of fromNothing) {
      const best = leastGapMs(device, ranges);
      for (const at of [12, 25, 50]) {
        const ratio = gapMs(device, ranges, gaps[at]!) / best;
        expect(ratio, `seed ${seed}, chunk ${at}, gap ${gaps[at]}`).toBeLessThan(near);
      }
    }
  });

  it('the whole, learning and second passes counted, is within 1.35 of the best gap from the start', () => {
    for (const { seed, ranges, totalMs } of fromNothing) {
      expect(totalMs / leastGapMs(device, ranges), `seed ${seed}`).toBeLessThan(1.35);
    }
  });

  it('what was learned serves the next migration from its first chunk', () => {
    const { model } = readAll(device, 5);
    const again = createCostModel(JSON.parse(JSON.stringify(model)));
    const { ranges, gaps } = readAll(device, 6, again);
    expect(again.weight).toBeGreaterThan(5);
    expect(gapMs(device, ranges, gaps[0]!) / leastGapMs(device, ranges)).toBeLessThan(near);
  });
});

describe('learning', () => {
  const samples = (operationMs: number, byteMs: number, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const operations = 1 + ((i * 7) % 40);
      const bytes = 2 ** 20 * (1 + (i % 4));
      return { operations, bytes, ms: operations * operationMs + bytes * byteMs };
    });

  it('finds an exact device', () => {
    const model = samples(2, 5e-6, 20).reduce(learn, createCostModel());
    expect(model.operationMs).toBeCloseTo(2, 1);
    expect(model.byteMs).toBeCloseTo(5e-6, 6);
  });

  it('is hardly moved by one stalled chunk, and follows a device that changes for good', () => {
    const calm = samples(0.3, 8e-6, 30).reduce(learn, createCostModel());
    const stalled = learn(calm, { operations: 10, bytes: 2 ** 22, ms: 30_000 });
    expect(estimateMs(stalled, 10, 2 ** 22) / estimateMs(calm, 10, 2 ** 22)).toBeLessThan(1.1);
    const slow = samples(3, 8e-5, 60).reduce(learn, calm);
    expect(estimateMs(slow, 10, 2 ** 22) / (30 + 8e-5 * 2 ** 22)).toBeCloseTo(1, 1);
  });

  it('is never negative, never free, never not a number, whatever was measured', () => {
    const sample = fc.record({
      operations: fc.oneof(fc.nat(1000), fc.constant(Number.NaN)),
      bytes: fc.oneof(fc.nat(2 ** 30), fc.constant(-1)),
      ms: fc.oneof(fc.double(), fc.double({ min: 0, max: 1e6 }), fc.constant(Number.POSITIVE_INFINITY)),
    });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 80 }), (list) => {
        const model = list.reduce(learn, createCostModel());
        expect(model.operationMs).toBeGreaterThanOrEqual(0);
        expect(model.byteMs).toBeGreaterThan(0);
        expect(Number.isFinite(model.operationMs + model.byteMs + model.weight)).toBe(true);
        expect(['sum', 'max']).toContain(model.rule);
      }),
    );
  });

  it('takes the prior of a cloud volume where nothing is known', () => {
    const model = createCostModel();
    expect(model).toMatchObject({ ...cloudVolume, weight: 0 });
    expect(estimateMs(model, 3000, 0)).toBeCloseTo(1000);
  });
});
