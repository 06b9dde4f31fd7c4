import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BlockRanges, blockCount, rangesOf, union } from '../../../src/planning/block-ranges.ts';
import type { DeviceCost } from '../../../src/planning/cost-model.ts';
import { readMs } from '../../../src/planning/gaps.ts';
import { dearestParted, type Parted, partSparse } from '../../../src/planning/sparse-last.ts';
import { blockRanges, faultsOf, toMap } from './arbitraries.ts';

const blockBytes = 8192;
const disk: DeviceCost = { operationMs: 5, byteMs: 1e-5, rule: 'max' };
const ssd: DeviceCost = { operationMs: 1e-4, byteMs: 1e-5, rule: 'max' };
const seeking: DeviceCost = { operationMs: 8, byteMs: 5e-6, rule: 'sum' };

/** Stretches of 60 blocks, and as many places of one block each, far from everything: 1.6 % of the blocks. */
function uneven(heatOfSingles = 1): BlockRanges {
  return rangesOf(
    Array.from({ length: 400 }, (_, i): readonly [number, number, number] =>
      i % 2 === 0 ? [i * 1000, 60, 3] : [i * 1000, 1, heatOfSingles],
    ),
  );
}

const firstOf = (parted: readonly Parted[]) => parted.map(({ first }) => first);
const laterOf = (parted: readonly Parted[]) => parted.map(({ later }) => later);
const total = (lists: readonly BlockRanges[]) => lists.reduce((sum, ranges) => sum + blockCount(ranges), 0);

describe.each([
  ['with a limit of each', disk],
  ['that seeks', seeking],
])('on a disk %s', (_, model) => {
  it('puts single blocks off, and what is first takes less of the time than its part', () => {
    const lists = [uneven()];
    const parted = partSparse(lists, { model, blockBytes, laterBlocks: 300 })!;
    expect(blockCount(parted[0]!.later)).toBe(200);
    expect(new Set(parted[0]!.later.lengths)).toEqual(new Set([1]));
    expect(readMs(model, firstOf(parted), { blockBytes })).toBeLessThan(
      0.75 * readMs(model, lists, { blockBytes }),
    );
  });

  it('puts off no more than is allowed, the same of several lists', () => {
    const lists = [uneven(), uneven()];
    const parted = partSparse(lists, { model, blockBytes, laterBlocks: 250 })!;
    expect(total(laterOf(parted))).toBe(250);
  });

  it('puts the colder of two single blocks off', () => {
    const hot = uneven(5);
    const parted = partSparse([hot, uneven(1)], { model, blockBytes, laterBlocks: 200 })!;
    expect(laterOf(parted).map(blockCount)).toEqual([0, 200]);
  });

  it('parts nothing where all places bring as much', () => {
    const even = rangesOf(Array.from({ length: 400 }, (_, i) => [i * 1000, 8, 3] as const));
    expect(partSparse([even], { model, blockBytes, laterBlocks: 150 })).toBe(null);
  });
});

it('parts nothing where operations cost nothing, or none may wait', () => {
  expect(partSparse([uneven()], { model: ssd, blockBytes, laterBlocks: 300 })).toBe(null);
  expect(partSparse([uneven()], { model: disk, blockBytes, laterBlocks: 0 })).toBe(null);
});

it('parts nothing where each part would be held up by another limit', () => {
  // Bytes hold the stretches up, operations the single blocks: beside each other they use both.
  const stretches = Array.from({ length: 100 }, (_, i) => [i * 2_000, 610, 3] as const);
  const singles = Array.from({ length: 1_000 }, (_, i) => [300_000 + i * 300, 1, 3] as const);
  const model = { ...disk, operationMs: 6.5 };
  const lists = [rangesOf([...stretches, ...singles])];
  const [wholeMs, firstMs] = [lists, [rangesOf(stretches)]].map((one) => readMs(model, one, { blockBytes }));
  expect(firstMs! + readMs(model, [rangesOf(singles)], { blockBytes })).toBeGreaterThan(1.5 * wholeMs!);
  expect(partSparse(lists, { model, blockBytes, laterBlocks: 1_500 })).toBe(null);
});

it('loses no block and no heat, whatever the lists', () => {
  let parted = 0;
  fc.assert(
    fc.property(
      fc.array(blockRanges({ leastHeat: 1, maxRuns: 60 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 200 }),
      fc.constantFrom(disk, ssd, seeking, { ...disk, operationMs: 0.2 }),
      (lists, laterBlocks, model) => {
        const halves = partSparse(lists, { model, blockBytes, laterBlocks });
        if (halves === null) return;
        parted += 1;
        const ms = (of: readonly BlockRanges[]) => readMs(model, of, { blockBytes });
        const allMs = ms(firstOf(halves)) + ms(laterOf(halves));
        expect(allMs).toBeLessThanOrEqual(dearestParted * ms(lists) + 1e-6);
        expect(total(laterOf(halves))).toBeLessThanOrEqual(laterBlocks);
        expect(halves.length).toBe(lists.length);
        halves.forEach(({ first, later }, at) => {
          for (const half of [first, later]) expect(faultsOf(half)).toEqual([]);
          expect(blockCount(first) + blockCount(later)).toBe(blockCount(lists[at]!));
          expect(toMap(union(first, later))).toEqual(toMap(lists[at]!));
        });
      },
    ),
  );
  expect(parted).toBeGreaterThan(0);
});
