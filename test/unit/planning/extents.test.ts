import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockCount, rangesOf } from '../../../src/planning/block-ranges.ts';
import { createCostModel, type DeviceCost } from '../../../src/planning/cost-model.ts';
import {
  type Cursor,
  defaultStepLimits,
  type FlatSpans,
  nextStep,
  type Readable,
  type ReadStep,
  type StepLimits,
  startCursor,
  stepBlocks,
} from '../../../src/planning/extents.ts';
import { blockRanges, toMap } from './arbitraries.ts';

const blockBytes = 8192;

function stepsOf(
  segments: readonly Readable<string>[],
  model: DeviceCost & { readonly gapBlocks?: number },
  limits: StepLimits,
): ReadStep<string>[] {
  const steps: ReadStep<string>[] = [];
  let cursor = startCursor;
  for (;;) {
    const gapBlocks = () => model.gapBlocks ?? 0;
    const next = nextStep(segments, cursor, { model, blockBytes, limits, gapBlocks });
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
  rule: fc.constantFrom('sum' as const, 'max' as const),
  gapBlocks: fc.integer({ min: 0, max: 20 }),
});
const limits = fc.record({
  wantedBlocks: fc.integer({ min: 1, max: 40 }),
  readBlocks: fc.integer({ min: 1, max: 60 }),
  spans: fc.integer({ min: 1, max: 6 }),
  places: fc.integer({ min: 1, max: 6 }),
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

  it('keep to the limits of wanted blocks, of spans, of places and of blocks read', () => {
    fc.assert(
      fc.property(segments, model, limits, (given, cost, bounds) => {
        for (const step of stepsOf(given, cost, bounds)) {
          expect(step.wantedBlocks).toBe(blocksOf(step.wanted).length);
          expect(step.wantedBlocks).toBeLessThanOrEqual(bounds.wantedBlocks);
          expect(step.wanted.length / 2).toBeLessThanOrEqual(bounds.spans);
          expect(step.operations).toBeLessThanOrEqual(bounds.places);
          const single = step.wanted.length === 2 && step.bridgedBlocks === 0;
          if (!single) expect(step.wantedBlocks + step.bridgedBlocks).toBeLessThanOrEqual(bounds.readBlocks);
        }
      }),
    );
  });

  it('end where a new place begins once they are nearly full, rather than within the run behind it', () => {
    const ranges = rangesOf([
      [0, 400, 3],
      [1_000, 200, 3],
      [1_210, 300, 3],
    ]);
    const bounds = { ...defaultStepLimits, wantedBlocks: 512 };
    const cost = { operationMs: 5, byteMs: 1e-5, rule: 'max' as const, gapBlocks: 16 };
    const steps = stepsOf([{ relation: 't', tier: 'pool', ranges }], cost, bounds);
    expect(steps.map((step) => step.wanted)).toEqual([
      [0, 400],
      [1_000, 1_200, 1_210, 1_510],
    ]);
    expect(steps.map((step) => step.operations)).toEqual([1, 1]);
  });

  it('bridge all gaps up to the one given and none wider, and count what they bridge apart', () => {
    fc.assert(
      fc.property(segments, model, limits, (given, cost, bounds) => {
        const widest = cost.gapBlocks;
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
          expect(step.secondPassBytes).toBe(bridged.length > 0 ? wanted.size * blockBytes : 0);
          if (bridged.length === 0) expect(step.readThrough).toEqual([]);
          for (let i = 2; i < step.wanted.length; i += 2) {
            const [end, start] = [step.wanted[i - 1]!, step.wanted[i]!];
            if (start - end <= widest) expect(through).toContain(end);
          }
        }
      }),
    );
  });

  it('go to as many places as there are spans, less those that a bridge joins', () => {
    fc.assert(
      fc.property(segments, model, limits, (given, cost, bounds) => {
        for (const step of stepsOf(given, cost, bounds)) {
          const places = step.readThrough.length > 0 ? step.readThrough : step.wanted;
          expect(step.operations).toBe(places.length / 2);
          const missed = blocksOf(step.wanted).filter((block) => !new Set(blocksOf(places)).has(block));
          expect(missed).toEqual([]);
        }
      }),
    );
  });
});

describe('a step', () => {
  const dotted = rangesOf(Array.from({ length: 200 }, (_, i) => [i * 10, 6, 1 + (i % 5)] as const));
  const model = createCostModel();
  const segment = [{ relation: 't', tier: 'pool' as const, ranges: dotted }];
  const stepAt = (cursor: Cursor, gap: number) =>
    nextStep(segment, cursor, { model, blockBytes, gapBlocks: () => gap })!;

  it('bridges up to the gap that is asked for', () => {
    const bridged = stepAt(startCursor, 4).step;
    expect(bridged.readThrough.length).toBe(2);
    expect(bridged.operations).toBe(1);
    const direct = stepAt(startCursor, 3).step;
    expect(direct.readThrough).toEqual([]);
    expect(direct.operations).toBe(direct.wanted.length / 2);
  });

  it('leaves a gap just over that alone', () => {
    const ranges = rangesOf([0, 2, 4, 6, 18].map((start) => [start, 1, 1] as const));
    const { step } = nextStep([{ relation: 't', tier: 'pool' as const, ranges }], startCursor, {
      ...{ model, blockBytes },
      gapBlocks: () => 10,
    })!;
    expect(step).toMatchObject({ readThrough: [0, 7, 18, 19], bridgedBlocks: 3, operations: 2 });
    expect(step.wanted).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 18, 19]);
  });

  it('is cut by what is asked for at that moment', () => {
    const first = stepAt(startCursor, 0);
    const second = stepAt(first.cursor, 4);
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
});

describe('the length of steps', () => {
  it('lets all connections end within the time of half the longest step and a short one, however many read', () => {
    const input = fc.record({
      blocks: fc.integer({ min: 1, max: 20_000 }),
      connections: fc.integer({ min: 1, max: 16 }),
      mostBlocks: fc.integer({ min: 32, max: 1_024 }),
    });
    fc.assert(
      fc.property(input, ({ blocks, connections, mostBlocks }) => {
        const busyUntil = Array.from({ length: connections }, () => 0);
        let longest = 0;
        for (let left = blocks; left > 0; ) {
          const next = Math.min(left, stepBlocks(left, { connections, mostBlocks }));
          expect(next).toBeGreaterThan(0);
          expect(next).toBeLessThanOrEqual(mostBlocks);
          left -= next;
          longest = Math.max(longest, next);
          const free = busyUntil.indexOf(Math.min(...busyUntil));
          busyUntil[free]! += next;
        }
        if (blocks < connections * mostBlocks) return;
        const idle = Math.max(...busyUntil) - Math.min(...busyUntil);
        expect(idle).toBeLessThanOrEqual(128 + longest / 2);
      }),
    );
  });

  it('is the whole step far from the end, and 128 blocks at it', () => {
    const of = (left: number) => stepBlocks(left, { connections: 4, mostBlocks: 512 });
    expect([100_000, 2_048, 1_024, 500, 1].map(of)).toEqual([512, 512, 256, 128, 128]);
  });
});
