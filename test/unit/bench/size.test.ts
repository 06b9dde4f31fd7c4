import { describe, expect, it } from 'vitest';
import { fitCase } from '../../../src/bench/size/fits.ts';
import { describe as describeMove } from '../../../src/bench/size/many-vms.ts';
import { sizeFigures } from '../../../src/bench/size/suite.ts';

const gb = 2 ** 30;

describe('what fits', () => {
  const large = { freeDiskBytes: 1_000 * gb, availableMemoryBytes: 64 * gb };

  it('is a table of ten times the pool where there is room', () => {
    expect(fitCase(1_024, large, 10)).toEqual({
      ...{ workSetMb: 1_024, poolMb: 1_536, tableMb: 15_360 },
      hotShare: 1_024 / 15_360,
    });
  });

  it('is a smaller table where the disk has less room, for three servers', () => {
    const fitted = fitCase(1_024, { ...large, freeDiskBytes: 40 * gb }, 10);
    expect(fitted).toMatchObject({ workSetMb: 1_024, poolMb: 1_536 });
    const { tableMb } = fitted as { tableMb: number };
    expect(tableMb).toBeGreaterThan(2 * 1_536);
    expect(tableMb * 3).toBeLessThan(40 * 1_024 * 0.75);
  });

  it('keeps a least pool for small work sets', () => {
    expect(fitCase(16, large, 3)).toMatchObject({ poolMb: 128, tableMb: 384 });
  });

  it.each([
    ['the disk', { ...large, freeDiskBytes: 5 * gb }, 'do not fit on the disk'],
    ['the memory', { ...large, availableMemoryBytes: 4 * gb }, 'do not fit into 2.8 GB of memory'],
  ])('is nothing where %s is too small', (_, machine, reason) => {
    expect(fitCase(1_024, machine, 10)).toMatchObject({
      workSetMb: 1_024,
      reason: expect.stringContaining(reason),
    });
  });
});

describe('several VMs at once', () => {
  const record = (readyS: number | undefined, bytes: number) => ({
    ...(readyS === undefined ? {} : { readyAt: new Date(readyS * 1_000).toISOString() }),
    workSet: { relations: 1, blocks: 1, bytes },
    residency: readyS === undefined ? 0.5 : 1,
  });

  it('are ready one after the other, against the floor of all together', () => {
    const records = [record(12, 50e6), record(11, 75e6)];
    const seen = { publishedMs: 10_000, bytesRead: 130e6, bytesPerSecond: 125e6 };
    expect(describeMove(records, seen)).toEqual({
      ...{ vms: 2, workSetBytes: 125e6, readyMs: [1_000, 2_000], floorMs: 1_000 },
      ...{ bytesRead: 130e6, residency: 1, failed: 0 },
    });
  });

  it('are counted where they failed; there is no floor without a limited disk', () => {
    const records = [record(undefined, 1), record(11, 1)];
    const seen = { publishedMs: 10_000, bytesRead: 2, bytesPerSecond: undefined };
    expect(describeMove(records, seen)).toMatchObject({
      failed: 1,
      readyMs: [1_000],
      residency: 0.5,
      floorMs: Number.NaN,
    });
  });
});

describe('figures for a comparison', () => {
  it('hold each size with a value for each repetition', () => {
    const move = {
      ...{ workSetMb: 16, poolMb: 128, tableMb: 1_280, hotShare: 0.01, workSetBytes: 100, floorMs: 10 },
      ...{ operationsRead: 1, residency: 1 },
    };
    const moves = [
      { ...move, readyMs: 12, bytesRead: 110 },
      { ...move, readyMs: 14, bytesRead: 120 },
    ];
    expect(sizeFigures({ moves, many: [], planning: [] })).toEqual([
      { of: '16 MB', name: 'ready ÷ floor', unit: 'ratio', better: 'less', values: [1.2, 1.4] },
      { of: '16 MB', name: 'read ÷ work set', unit: 'ratio', better: 'less', values: [1.1, 1.2] },
    ]);
  });
});
