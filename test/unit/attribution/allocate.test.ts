import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AllocationRow, allocate, remainder } from '../../../src/attribution/allocate.ts';

const seeds = (some: Record<string, number>) => new Map(Object.entries(some));
const columns = seeds;

describe('dividing volumes among relations', () => {
  it('follows the relations own counts over the planner estimates', () => {
    const [row] = allocate([{ volume: 100, seeds: seeds({ t: 1, pk: 1 }) }], columns({ t: 25, pk: 75 }));
    expect(row?.shares.get('t')).toBeCloseTo(0.25);
    expect(row?.shares.get('pk')).toBeCloseTo(0.75);
    expect(row?.factor).toBeCloseTo(1);
  });

  it('gives nothing to a relation that counted nothing', () => {
    const [row, none] = allocate(
      [
        { volume: 10, seeds: seeds({ p1: 1, p2: 9 }) },
        { volume: 10, seeds: seeds({ p2: 1 }) },
      ],
      columns({ p1: 4 }),
    );
    expect(row?.shares).toEqual(new Map([['p1', 1]]));
    expect(none?.shares.size).toBe(0);
  });

  it('tells two statements on one table apart by the indexes that only one of them may use', () => {
    const [a, b] = allocate(
      [
        { volume: 100, seeds: seeds({ t: 1, i: 1 }) },
        { volume: 100, seeds: seeds({ t: 1, j: 1 }) },
      ],
      columns({ t: 100, i: 20, j: 80 }),
    );
    expect(a?.shares.get('i')).toBeCloseTo(0.2, 2);
    expect(b?.shares.get('j')).toBeCloseTo(0.8, 2);
  });

  it('moves volume inside a group to where the counts are, and never out of it', () => {
    const [a, b, other] = allocate(
      [
        { volume: 90, seeds: seeds({ ta: 1 }), group: 's' },
        { volume: 10, seeds: seeds({ tb: 1 }), group: 's' },
        { volume: 50, seeds: seeds({ tc: 1 }) },
      ],
      columns({ ta: 50, tb: 50, tc: 500 }),
    );
    expect(a?.factor).toBeCloseTo(50 / 90);
    expect(b?.factor).toBeCloseTo(5);
    expect(other?.factor).toBeCloseTo(1);
  });

  it('keeps every volume whatever the counts are', () => {
    const names = ['a', 'b', 'c', 'd'];
    const row = fc.record({
      volume: fc.integer({ min: 1, max: 1_000_000 }),
      seeds: fc.dictionary(fc.constantFrom(...names), fc.integer({ min: 1, max: 1000 })).map(seeds),
      group: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
    });
    const counts = fc.dictionary(fc.constantFrom(...names), fc.nat(1_000_000)).map(columns);
    fc.assert(
      fc.property(fc.array(row, { maxLength: 6 }), counts, (drawn, given) => {
        const rows = drawn.map(({ group, ...rest }): AllocationRow => (group ? { ...rest, group } : rest));
        const result = allocate(rows, given);
        const volume = rows.reduce((sum, one) => sum + one.volume, 0);
        const placed = rows.reduce((sum, one, at) => sum + one.volume * (result[at]?.factor ?? 0), 0);
        const sums = result.map(({ shares }) => [...shares.values()].reduce((sum, part) => sum + part, 0));
        return (
          Math.abs(placed - volume) <= volume * 1e-6 &&
          sums.every((sum, at) => result[at]?.shares.size === 0 || Math.abs(sum - 1) < 1e-9) &&
          result.every(({ shares }) => [...shares.keys()].every((key) => (given.get(key) ?? 0) > 0)) &&
          [...remainder(rows, result, given)].every(
            ([key, left]) => left >= 0 && left <= (given.get(key) ?? 0),
          )
        );
      }),
    );
  });
});
