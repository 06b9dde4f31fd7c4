import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BlockRanges, blockCount, rangesOf } from '../../../src/planning/block-ranges.ts';
import type { DeviceCost } from '../../../src/planning/cost-model.ts';
import { countGaps, gapChooser, priceGap } from '../../../src/planning/gaps.ts';
import { interleave } from '../../../src/planning/interleave.ts';
import type { Segment } from '../../../src/planning/plan.ts';
import { blockRanges, faultsOf, toMap } from './arbitraries.ts';

const blockBytes = 8192;
const volume: DeviceCost = { operationMs: 5, byteMs: 1e-5, rule: 'max' };

function segment(key: string, ranges: BlockRanges, rank = 0): Segment<string> {
  return { relation: key, key, tier: 'pool', ranges, blocks: blockCount(ranges), rank };
}

/** Half of it one block here and there, half of it dense: alone each leaves one of the limits unused. */
function uneven(): BlockRanges {
  const sparse = Array.from({ length: 500 }, (_, i) => [i * 400, 1, 1] as const);
  const dense = Array.from({ length: 100 }, (_, i) => [400_000 + i * 800, 400, 1] as const);
  return rangesOf([...sparse, ...dense]);
}

/** What the order takes on a device that forgets after `together` pieces what it did not use of a limit. */
function readMs(segments: readonly Segment<string>[], together: number): number {
  const gapBlocks = gapChooser(segments, blockBytes)(volume);
  const costs = segments.map(({ ranges }, i) => {
    const { operations, bytes } = priceGap(volume, countGaps(ranges), {
      gapBlocks: gapBlocks(i),
      blockBytes,
    });
    return { operations: operations * volume.operationMs, bytes: bytes * volume.byteMs };
  });
  let ms = 0;
  for (let i = 0; i < costs.length; i += together) {
    const window = costs.slice(i, i + together);
    const sum = (of: 'operations' | 'bytes') => window.reduce((total, cost) => total + cost[of], 0);
    ms += Math.max(sum('operations'), sum('bytes'));
  }
  return ms;
}

describe('segments read in turns', () => {
  it('are the same blocks, rank by rank, whatever the device', () => {
    const lists = fc.array(fc.record({ ranges: blockRanges({ leastHeat: 1 }), rank: fc.nat(2) }), {
      maxLength: 5,
    });
    const device = fc.record({
      operationMs: fc.double({ min: 0, max: 10, noNaN: true }),
      byteMs: fc.double({ min: 1e-7, max: 1e-4, noNaN: true }),
      rule: fc.constantFrom('sum' as const, 'max' as const),
    });
    fc.assert(
      fc.property(lists, device, fc.integer({ min: 1, max: 30 }), (of, model, pieceBlocks) => {
        const planned = of
          .toSorted((a, b) => a.rank - b.rank)
          .map(({ ranges, rank }, i) => segment(`t${i}`, ranges, rank));
        const read = interleave(planned, { model, blockBytes, pieceBlocks });
        expect(read.map(({ rank }) => rank)).toEqual(read.map(({ rank }) => rank).toSorted());
        for (const { key, ranges } of planned) {
          const pieces = read.filter((one) => one.key === key);
          expect(pieces.flatMap((one) => faultsOf(one.ranges))).toEqual([]);
          expect(pieces.every((one) => one.blocks === blockCount(one.ranges))).toBe(true);
          const blocks = pieces.flatMap((one) => [...toMap(one.ranges)]).toSorted(([a], [b]) => a - b);
          expect(blocks).toEqual([...toMap(ranges)]);
        }
      }),
    );
  });

  it('use both limits of a volume at once', () => {
    const planned = [segment('t', uneven())];
    const inOrder = interleave(planned, {
      model: { ...volume, rule: 'sum' },
      blockBytes,
      pieceBlocks: 1024,
    });
    expect(inOrder).toEqual(planned);
    const pieces = { model: volume, blockBytes, pieceBlocks: 40 };
    const read = interleave(planned, pieces);
    const sorted = read.toSorted((a, b) => a.ranges.starts[0]! - b.ranges.starts[0]!);
    const whole = readMs(read, read.length);
    expect(readMs(sorted, 16)).toBeGreaterThan(1.4 * whole);
    expect(readMs(read, 16)).toBeLessThan(1.1 * whole);
  });

  it('stay in block order where there is nothing to win', () => {
    const even = segment('t', rangesOf(Array.from({ length: 400 }, (_, i) => [i * 300, 64, 1] as const)));
    expect(interleave([even], { model: volume, blockBytes, pieceBlocks: 256 })).toEqual([even]);
  });

  it('are priced as one: the gap is chosen for the sum of a rank', () => {
    const dense = segment('dense', rangesOf([[0, 60_000, 1]]));
    const dotted = segment('dotted', rangesOf(Array.from({ length: 60 }, (_, i) => [i * 6, 4, 1] as const)));
    expect(gapChooser([dotted], blockBytes)(volume)(0)).toBe(2);
    expect(gapChooser([dotted, dense], blockBytes)(volume)(0)).toBe(0);
    expect(gapChooser([dotted, { ...dense, rank: 1 }], blockBytes)(volume)(0)).toBe(2);
  });
});
