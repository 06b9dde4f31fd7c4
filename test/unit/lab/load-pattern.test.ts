import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rowsForTable, rowsPerBlock } from '../../../src/lab/app-data.ts';
import { LoadPattern, type LoadShape } from '../../../src/lab/load-pattern.ts';

const take = (pattern: LoadPattern, count: number) => Array.from({ length: count }, () => pattern.next());
/** The ranges that reads fall into, each with its number of reads. */
function rangesRead(pattern: LoadPattern, readCount: number, rangeRowCount: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [from] of take(pattern, readCount)) {
    const range = Math.floor((from - 1) / rangeRowCount);
    counts.set(range, (counts.get(range) ?? 0) + 1);
  }
  return counts;
}

describe('LoadPattern', () => {
  const shape: LoadShape = { rowCount: rowsForTable(50), seed: 5, rangeBlockCount: 8 };
  const rangeRowCount = 8 * rowsPerBlock;

  test('the same seed gives the same reads, another seed others', () => {
    expect(take(new LoadPattern(shape), 200)).toEqual(take(new LoadPattern(shape), 200));
    expect(take(new LoadPattern({ ...shape, seed: 6 }), 200)).not.toEqual(take(new LoadPattern(shape), 200));
  });

  test('reads stay inside the table and inside one range', () => {
    const rowCounts = fc.integer({ min: 1, max: 50_000 });
    const property = fc.property(
      rowCounts,
      fc.integer(),
      fc.integer({ min: 1, max: 40 }),
      (rowCount, seed, rangeBlockCount) => {
        const pattern = new LoadPattern({ rowCount, seed, rangeBlockCount });
        for (const [from, to] of take(pattern, 50)) {
          expect(from).toBeGreaterThanOrEqual(1);
          expect(to).toBeLessThanOrEqual(rowCount);
          expect(to).toBeGreaterThanOrEqual(from);
          const range = (id: number) =>
            Math.floor((id - 1) / Math.min(rowCount, rangeBlockCount * rowsPerBlock));
          expect(range(to)).toBe(range(from));
        }
      },
    );
    fc.assert(property, { numRuns: 200 });
  });

  test('a third of the table is read, and some of it far more often', () => {
    const pattern = new LoadPattern(shape);
    const counts = rangesRead(pattern, 100_000, rangeRowCount);
    expect(counts.size).toBe(pattern.hotRangeCount);
    expect(counts.size / (shape.rowCount / rangeRowCount)).toBeCloseTo(1 / 3, 2);
    const sorted = [...counts.values()].sort((a, b) => b - a);
    expect(sorted[0]).toBeGreaterThan(20 * (sorted.at(-1) ?? 0));
  });

  test('the newest rows alone are read where the load lies there, some of them far more often', () => {
    const pattern = new LoadPattern({ ...shape, hotPlace: 'newest', hotShare: 0.25 });
    const counts = rangesRead(pattern, 100_000, rangeRowCount);
    const rangeCount = Math.floor(shape.rowCount / rangeRowCount);
    expect(counts.size).toBe(pattern.hotRangeCount);
    expect(Math.min(...counts.keys())).toBe(rangeCount - pattern.hotRangeCount);
    const sorted = [...counts.values()].sort((a, b) => b - a);
    expect(sorted[0]).toBeGreaterThan(10 * (sorted.at(-1) ?? 0));
  });

  test('a hot part in the middle has cold rows on both sides', () => {
    const pattern = new LoadPattern({ ...shape, hotPlace: 'middle', hotShare: 0.25 });
    const ranges = [...rangesRead(pattern, 100_000, rangeRowCount).keys()].sort((a, b) => a - b);
    const rangeCount = Math.floor(shape.rowCount / rangeRowCount);
    expect(ranges).toHaveLength(pattern.hotRangeCount);
    expect(ranges[0]).toBe(Math.round(0.4 * (rangeCount - pattern.hotRangeCount)));
    expect(ranges.at(-1)! - ranges[0]!).toBe(ranges.length - 1);
  });

  test('a shift replaces that share of the hot ranges', () => {
    const pattern = new LoadPattern({ ...shape, skew: 0 });
    const before = rangesRead(pattern, 50_000, rangeRowCount);
    pattern.shift(0.25);
    const after = rangesRead(pattern, 50_000, rangeRowCount);
    expect(after.size).toBe(before.size);
    const fresh = [...after.keys()].filter((range) => !before.has(range)).length;
    // A range may be drawn twice, so that somewhat less than the share is new.
    expect(fresh / before.size).toBeGreaterThan(0.15);
    expect(fresh / before.size).toBeLessThanOrEqual(0.26);
  });
});

test('a table of the bench size has four million rows', () => {
  expect(rowsForTable(919) / 1e6).toBeCloseTo(4, 1);
});
