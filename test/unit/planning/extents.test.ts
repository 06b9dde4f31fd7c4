import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockCount, rangesOf } from '../../../src/planning/block-ranges.ts';
import { bridgeableGapBlocks, createCostModel, type DeviceCost } from '../../../src/planning/cost-model.ts';
import {
  defaultStepLimits,
  type FlatSpans,
  learnFromStep,
  nextStep,
  type Readable,
  type ReadStep,
  type StepLimits,
  startCursor,
} from '../../../src/planning/extents.ts';
import { blockRanges, toMap } from './arbitraries.ts';

const blockBytes = 8192;

function stepsOf(
  segments: readonly Readable<string>[],
  model: DeviceCost,
  limits: StepLimits,
): ReadStep<string>[] {
  const steps: ReadStep<string>[] = [];
  let cursor = startCursor;
  for (;;) {
    const next = nextStep(segments, cursor, { model, blockBytes, limits });
    if (next === null) return steps;
    steps.push(next.step);
    cursor = next.cursor;
  }
}

function blocksOf(spans: FlatSpans): number[] {
  const blocks: number[] = [];
  for (let i = 0; i < spans.length; i += 2) for (let b = spans[i]!; b < spans[i + 1]!; b++) blocks.push(b);
  return blocks;
}

const model = fc.record({
  operationMs: fc.double({ min: 0, max: 10, noNaN: true }),
  byteMs: fc.double({ min: 1e-7, max: 1e-4, noNaN: true }),
});
const limits = fc.record({
  wantedBlocks: fc.integer({ min: 1, max: 40 }),
  readBlocks: fc.integer({ min: 1, max: 60 }),
  spans: fc.integer({ min: 1, max: 6 }),
  predictedMs: fc.double({ min: 0, max: 20, noNaN: true }),
});
const segments = fc
  .array(blockRanges(), { maxLength: 4 })
  .map((list) =>
    list.map((ranges, i): Readable<string> => ({ relation: `t${i}`, tier: i % 2 ? 'os' : 'pool', ranges })),
  );

describe('the steps of any plan, by any model and limits', () => {
  it('want every block once, in the order of the segments, by block', () => {
    fc.assert(
      fc.property(segments, model, limits, (given, cost, bounds) => {
        const wanted = stepsOf(given, cost, bounds).flatMap((s) =>
          blocksOf(s.wanted).map((b) => `${s.relation}#${b}`),
        );
        expect(wanted).toEqual(
          given.flatMap((s) => [...toMap(s.ranges).keys()].map((b) => `${s.relation}#${b}`)),
        );
      }),
    );
  });

  it('keep to the limits of wanted blocks, of spans and of blocks read', () => {
    fc.assert(
      fc.property(segments, model, limits, (given, cost, bounds) => {
        for (const step of stepsOf(given, cost, bounds)) {
          expect(step.wantedBlocks).toBe(blocksOf(step.wanted).length);
          expect(step.wantedBlocks).toBeLessThanOrEqual(bounds.wantedBlocks);
          expect(step.wanted.length / 2).toBeLessThanOrEqual(bounds.spans);
          const single = step.wanted.length === 2 && step.bridgedBlocks === 0;
          if (!single) expect(step.wantedBlocks + step.bridgedBlocks).toBeLessThanOrEqual(bounds.readBlocks);
        }
      }),
    );
  });

  it('never bridge a gap wider than the model allows, and count what they bridge apart', () => {
    fc.assert(
      fc.property(segments, model, limits, (given, cost, bounds) => {
        const widest = bridgeableGapBlocks(cost, blockBytes);
        for (const step of stepsOf(given, cost, bounds)) {
          const wanted = new Set(blocksOf(step.wanted));
          const through = blocksOf(step.readThrough);
          const bridged = through.filter((b) => !wanted.has(b));
          expect(bridged.length).toBe(step.bridgedBlocks);
          let gap = 0;
          for (const block of through) {
            gap = wanted.has(block) ? 0 : gap + 1;
            expect(gap).toBeLessThanOrEqual(widest);
          }
          expect(step.bytes).toBe((wanted.size + bridged.length) * blockBytes);
          expect(step.secondPassBytes).toBe((through.length - bridged.length) * blockBytes);
          if (bridged.length === 0) expect(step.readThrough).toEqual([]);
        }
      }),
    );
  });

  it('go to as many places as there are spans, less those that a bridge joins', () => {
    fc.assert(
      fc.property(segments, model, limits, (given, cost, bounds) => {
        for (const step of stepsOf(given, cost, bounds)) {
          const through = new Set(blocksOf(step.readThrough));
          let alone = 0;
          for (let i = 0; i < step.wanted.length; i += 2) if (!through.has(step.wanted[i]!)) alone += 1;
          expect(step.operations).toBe(alone + step.readThrough.length / 2);
        }
      }),
    );
  });
});

describe('a step', () => {
  const dotted = rangesOf(Array.from({ length: 200 }, (_, i) => [i * 10, 6, 1 + (i % 5)] as const));
  const dear = { operationMs: 5, byteMs: 1e-5 };
  const cheap = { operationMs: 0.02, byteMs: 1e-5 };
  const segment = [{ relation: 't', tier: 'pool' as const, ranges: dotted }];

  it('bridges where operations are dear, and not where they are cheap', () => {
    const bridged = nextStep(segment, startCursor, { model: dear, blockBytes })!.step;
    expect(bridged.readThrough.length).toBe(2);
    expect(bridged.operations).toBe(1);
    const direct = nextStep(segment, startCursor, { model: cheap, blockBytes })!.step;
    expect(direct.readThrough).toEqual([]);
    expect(direct.operations).toBe(direct.wanted.length / 2);
  });

  it("leaves a gap just over the model's alone, however much its neighbours save", () => {
    const ranges = rangesOf([0, 2, 4, 6, 18].map((start) => [start, 1, 1] as const));
    const model = { operationMs: 1, byteMs: 1 / (10.5 * blockBytes) };
    expect(bridgeableGapBlocks(model, blockBytes)).toBe(10);
    const { step } = nextStep([{ relation: 't', tier: 'pool' as const, ranges }], startCursor, {
      model,
      blockBytes,
    })!;
    expect(step).toMatchObject({ readThrough: [0, 7], bridgedBlocks: 3, operations: 2 });
    expect(step.wanted).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 18, 19]);
  });

  it('does not bridge where the second pass costs more than the operations that it saves', () => {
    const ranges = rangesOf([
      [0, 250, 1],
      [251, 250, 1],
    ]);
    const context = { model: { operationMs: 0.5, byteMs: 1e-6 }, blockBytes };
    const { step } = nextStep([{ relation: 't', tier: 'pool' as const, ranges }], startCursor, context)!;
    expect(bridgeableGapBlocks(context.model, blockBytes)).toBeGreaterThan(1);
    expect(step).toMatchObject({ readThrough: [], operations: 2, wantedBlocks: 500 });
  });

  it('is cut by what the model says at that moment', () => {
    const first = nextStep(segment, startCursor, { model: cheap, blockBytes })!;
    const second = nextStep(segment, first.cursor, { model: dear, blockBytes })!;
    expect(first.step.bridgedBlocks).toBe(0);
    expect(second.step.bridgedBlocks).toBeGreaterThan(0);
    expect(first.step.wanted.at(-1)).toBeLessThanOrEqual(second.step.wanted[0]!);
  });

  it('of a long run is 4 MiB, and takes runs of different heat that touch as one span', () => {
    const ranges = rangesOf([
      [0, 300, 1],
      [300, 5000, 2],
    ]);
    const long = [{ relation: 't', tier: 'pool' as const, ranges }];
    const steps = stepsOf(long, createCostModel(), defaultStepLimits);
    expect(steps[0]!.wanted).toEqual([0, 512]);
    expect(steps.length).toBe(Math.ceil(blockCount(ranges) / 512));
  });

  it('teaches the device without the second pass', () => {
    const { step } = nextStep(segment, startCursor, { model: dear, blockBytes })!;
    const { samples } = learnFromStep(createCostModel(), step, 100);
    expect(samples[0]).toMatchObject({ operations: step.operations, bytes: step.bytes });
    expect(samples[0]!.ms).toBeLessThan(100);
    expect(samples[0]!.ms).toBeGreaterThanOrEqual(50);
  });
});
