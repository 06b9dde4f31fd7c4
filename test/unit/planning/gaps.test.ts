import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangesOf } from '../../../src/planning/block-ranges.ts';
import { cheapestGap, countGaps, gapChooser, mixGaps, priceGap, readMs } from '../../../src/planning/gaps.ts';
import { blockRanges } from './arbitraries.ts';

const cost = fc.record({
  operationMs: fc.double({ min: 0, max: 10, noNaN: true }),
  byteMs: fc.double({ min: 1e-7, max: 1e-4, noNaN: true }),
  rule: fc.constantFrom('sum' as const, 'max' as const),
});
const unit = { operationMs: 1, byteMs: 1, rule: 'sum' } as const;

describe('the gaps of a list of blocks', () => {
  const ranges = rangesOf([
    [0, 10, 1],
    [10, 10, 5],
    [24, 6, 5],
    [100, 1, 2],
  ]);

  it('are counted by width, one operation a run', () => {
    expect(priceGap(unit, countGaps(ranges), { gapBlocks: 3, blockBytes: 1 })).toMatchObject({
      operations: 3,
      bytes: 27,
    });
    expect(priceGap(unit, countGaps(ranges), { gapBlocks: 4, blockBytes: 1 })).toMatchObject({
      operations: 2,
      bytes: 31,
    });
    const hot = countGaps(ranges, { low: 5, high: 5 });
    expect(priceGap(unit, hot, { gapBlocks: 4, blockBytes: 1 })).toMatchObject({ operations: 1, bytes: 20 });
  });

  it('are chosen so that no other choice is cheaper, and none narrower as cheap', () => {
    fc.assert(
      fc.property(blockRanges(), cost, (list, device) => {
        const gaps = countGaps(list);
        const chosen = cheapestGap(device, gaps, 8192);
        for (let gapBlocks = 0; gapBlocks <= 64; gapBlocks++) {
          const other = priceGap(device, gaps, { gapBlocks, blockBytes: 8192 });
          expect(chosen.ms).toBeLessThanOrEqual(other.ms * (1 + 1e-12));
          if (gapBlocks < chosen.gapBlocks) expect(chosen.ms).toBeLessThan(other.ms);
        }
        expect(readMs(device, [list], { blockBytes: 8192 })).toBe(chosen.ms);
      }),
    );
  });

  it('stay alone where the second pass costs more than the operations that it saves', () => {
    const long = countGaps(
      rangesOf([
        [0, 250, 1],
        [251, 250, 1],
      ]),
    );
    expect(cheapestGap({ operationMs: 0.5, byteMs: 1e-6, rule: 'sum' }, long, 8192).gapBlocks).toBe(0);
    expect(cheapestGap({ operationMs: 50, byteMs: 1e-6, rule: 'sum' }, long, 8192).gapBlocks).toBe(1);
  });

  it('are read through only as far as operations are the scarcer, where each has a limit of its own', () => {
    const dotted = countGaps(rangesOf(Array.from({ length: 200 }, (_, i) => [i * 10, 6, 1] as const)));
    const cloud = { operationMs: 1 / 3, byteMs: 8e-6, rule: 'max' } as const;
    expect(cheapestGap(cloud, dotted, 8192).gapBlocks).toBe(0);
    expect(cheapestGap({ ...cloud, operationMs: 5 }, dotted, 8192).gapBlocks).toBe(4);
  });

  it('take turns where that uses both limits better than the best one for all', () => {
    fc.assert(
      fc.property(blockRanges(), cost, (list, device) => {
        const gaps = countGaps(list);
        const { narrow, wide, wideShare } = mixGaps(device, gaps, 8192);
        const price = (gapBlocks: number) => priceGap(device, gaps, { gapBlocks, blockBytes: 8192 });
        const part = (of: 'operations' | 'bytes') =>
          (1 - wideShare) * price(narrow)[of] + wideShare * price(wide)[of];
        expect(wideShare).toBeGreaterThanOrEqual(0);
        expect(wideShare).toBeLessThanOrEqual(1);
        const best = price(cheapestGap(device, gaps, 8192).gapBlocks);
        const limits = ({ operations, bytes }: { operations: number; bytes: number }) => [
          operations * device.operationMs,
          bytes * device.byteMs,
        ];
        const mixed = { operations: part('operations'), bytes: part('bytes') };
        const most = Math.max(...limits(best));
        expect(Math.max(...limits(mixed))).toBeLessThanOrEqual(most * (1 + 1e-9));
      }),
    );
  });

  it('are mixed in steps as evenly as in the whole', () => {
    const dotted = rangesOf(Array.from({ length: 1000 }, (_, i) => [i * 100, 36, 1] as const));
    const device = { operationMs: 5, byteMs: 1e-5, rule: 'max' } as const;
    const { narrow, wide, wideShare } = mixGaps(device, countGaps(dotted), 8192);
    expect([narrow, wide]).toEqual([0, 64]);
    const choose = gapChooser([{ ranges: dotted, rank: 0 }], 8192)(device);
    const gaps = Array.from({ length: 200 }, () => choose(0));
    expect(gaps.filter((gap) => gap === wide).length / 200).toBeCloseTo(wideShare, 1);
    const firstHalf = gaps.slice(0, 100).filter((gap) => gap === wide).length;
    expect(Math.abs(firstHalf - 100 * wideShare)).toBeLessThanOrEqual(1);
  });
});
