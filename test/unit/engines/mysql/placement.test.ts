import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placePages } from '../../../../src/engines/mysql/placement.ts';
import {
  blockCount,
  emptyRanges,
  intersect,
  rangesOf,
  singleRange,
} from '../../../../src/planning/block-ranges.ts';

describe('cached pages of an index, of which only the number is known', () => {
  it('are as many as were counted, whatever was read', () => {
    const reads = fc.uniqueArray(fc.integer({ min: 0, max: 19 }), { maxLength: 10 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 250 }), reads, (count, tens) => {
        const read = rangesOf(tens.sort((a, b) => a - b).map((ten) => [ten * 10, 7, 1] as const));
        const placed = placePages(count, 200, read);
        expect(blockCount(placed)).toBe(Math.min(count, 200));
        const own = blockCount(intersect(placed, read));
        expect(own).toBe(Math.min(count, blockCount(read)));
      }),
    );
  });

  it('stand evenly where nothing was read', () => {
    const placed = placePages(100, 1_000, emptyRanges);
    for (let tenth = 0; tenth < 10; tenth++) {
      expect(blockCount(intersect(placed, singleRange(tenth * 100, 100, 1)))).toBe(10);
    }
  });
});
