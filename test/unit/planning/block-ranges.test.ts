import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BlockRanges,
  BlockRangesBuilder,
  blockCount,
  blockLimit,
  blocksByHeat,
  emptyRanges,
  intersect,
  rangesOf,
  singleRange,
  subtract,
  union,
} from '../../../src/planning/block-ranges.ts';
import {
  atLeast,
  clip,
  heatBand,
  spansOf,
  splitAt,
  splitFromEnd,
  withHeat,
} from '../../../src/planning/range-cuts.ts';
import { blockRanges, faultsOf, toMap } from './arbitraries.ts';

const sound = (ranges: BlockRanges) => {
  expect(faultsOf(ranges)).toEqual([]);
  return toMap(ranges);
};

describe('the builder', () => {
  it('merges runs of equal heat that touch, and keeps those that differ', () => {
    const ranges = rangesOf([
      [0, 4, 2],
      [4, 4, 2],
      [8, 1, 3],
      [10, 1, 3],
    ]);
    expect([...ranges.starts]).toEqual([0, 8, 10]);
    expect([...ranges.lengths]).toEqual([8, 1, 1]);
    expect([...ranges.heats]).toEqual([2, 3, 3]);
  });

  it('takes rows of heat digits with holes', () => {
    const builder = new BlockRangesBuilder();
    builder.addHeats(100, '1155-0');
    builder.addHeats(200, '');
    builder.addHeats(106, '0');
    expect(toMap(builder.build())).toEqual(
      new Map([
        [100, 1],
        [101, 1],
        [102, 5],
        [103, 5],
        [105, 0],
        [106, 0],
      ]),
    );
  });

  it('puts unordered and overlapping runs right, the greater heat wins', () => {
    const runs = fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 12 }), fc.nat(5)), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(runs, (list) => {
        const expected = new Map<number, number>();
        for (const [start, length, heat] of list) {
          for (let b = start; b < start + length; b++) expected.set(b, Math.max(heat, expected.get(b) ?? 0));
        }
        const built = sound(rangesOf(list));
        expect(new Map([...built].sort())).toEqual(new Map([...expected].sort()));
      }),
    );
  });

  it('is empty after build and can be used again', () => {
    const builder = new BlockRangesBuilder(1);
    for (let i = 0; i < 100; i++) builder.add(i * 2, 1, i % 6);
    expect(builder.build().starts.length).toBe(100);
    builder.add(5, 1, 1);
    expect([...builder.build().starts]).toEqual([5]);
  });

  it('reaches the last block that PostgreSQL can have, and refuses what lies beyond', () => {
    expect(blockCount(singleRange(blockLimit - 2, 2, 1))).toBe(2);
    const builder = new BlockRangesBuilder();
    expect(() => builder.add(blockLimit - 1, 2, 1)).toThrow(RangeError);
    expect(() => builder.add(-1, 2, 1)).toThrow(RangeError);
    expect(() => builder.add(0.5, 2, 1)).toThrow(RangeError);
    expect(() => builder.add(0, 2, 6)).toThrow(RangeError);
    expect(() => builder.addHeats(0, '1x')).toThrow(RangeError);
  });
});

describe('the algebra holds block by block', () => {
  const check = (
    of: (a: BlockRanges, b: BlockRanges) => BlockRanges,
    rule: (a: number | undefined, b: number | undefined) => number | undefined,
  ) =>
    fc.assert(
      fc.property(blockRanges(), blockRanges(), (a, b) => {
        const got = sound(of(a, b));
        const [ma, mb] = [toMap(a), toMap(b)];
        for (const block of new Set([...ma.keys(), ...mb.keys(), ...got.keys()])) {
          expect(got.get(block)).toBe(rule(ma.get(block), mb.get(block)));
        }
      }),
    );

  it('subtract', () => check(subtract, (a, b) => (b === undefined ? a : undefined)));
  it('intersect', () => check(intersect, (a, b) => (b === undefined ? undefined : a)));
  it('union', () => check(union, (a, b) => (a === undefined || b === undefined ? (a ?? b) : Math.max(a, b))));

  it('counts: a = (a without b) + (a and b)', () => {
    fc.assert(
      fc.property(blockRanges(), blockRanges(), (a, b) => {
        expect(blockCount(subtract(a, b)) + blockCount(intersect(a, b))).toBe(blockCount(a));
        expect(blocksByHeat(a).reduce((x, y) => x + y)).toBe(blockCount(a));
      }),
    );
  });
});

describe('the cuts', () => {
  it('by heat: bands part the whole', () => {
    fc.assert(
      fc.property(blockRanges(), fc.integer({ min: 1, max: 5 }), (a, heat) => {
        const hot = sound(atLeast(a, heat));
        const cold = sound(heatBand(a, 0, heat - 1));
        for (const value of hot.values()) expect(value).toBeGreaterThanOrEqual(heat);
        for (const value of cold.values()) expect(value).toBeLessThan(heat);
        expect(hot.size + cold.size).toBe(blockCount(a));
      }),
    );
  });

  it('by count: head and tail part the whole in block order, from either end', () => {
    fc.assert(
      fc.property(blockRanges(), fc.nat(250), (a, count) => {
        const all = [...toMap(a)];
        const [head, tail] = splitAt(a, count);
        expect([...sound(head)]).toEqual(all.slice(0, count));
        expect([...sound(tail)]).toEqual(all.slice(count));
        const [last, before] = splitFromEnd(a, count);
        expect([...toMap(before), ...toMap(last)]).toEqual(all);
        expect(blockCount(last)).toBe(Math.min(count, all.length));
      }),
    );
  });

  it('by size: nothing beyond the end of the file', () => {
    fc.assert(
      fc.property(blockRanges(), fc.nat(250), (a, size) => {
        expect([...sound(clip(a, size))]).toEqual([...toMap(a)].filter(([block]) => block < size));
      }),
    );
  });

  it('spans cover the same blocks, apart from each other', () => {
    fc.assert(
      fc.property(blockRanges(), (a) => {
        const spans = [...spansOf(a)];
        spans.slice(1).forEach((span, i) => {
          expect(span.start).toBeGreaterThan(spans[i]!.end);
        });
        expect(spans.reduce((n, { start, end }) => n + end - start, 0)).toBe(blockCount(a));
        expect(spans.length).toBe(withHeat(a, 1).starts.length);
      }),
    );
  });

  it('of nothing is nothing', () => {
    expect(splitAt(emptyRanges, 3).map(blockCount)).toEqual([0, 0]);
    expect([...spansOf(emptyRanges)]).toEqual([]);
    expect(blockCount(clip(emptyRanges, 10))).toBe(0);
  });
});
