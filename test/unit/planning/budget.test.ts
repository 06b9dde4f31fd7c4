import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { osCacheBudget, type PoolCounts, poolBudget } from '../../../src/planning/budget.ts';

const pool = (options: Partial<PoolCounts> = {}): PoolCounts => ({
  ...{ known: true, poolBlocks: 1000, freeBlocks: 200, blocksByHeat: [50, 150, 100, 100, 100, 300] },
  ...options,
});

describe('the budget of the pool', () => {
  it('is what is free and cold, never what residents use', () => {
    expect(poolBudget(pool())).toEqual({ blocks: 400, reason: '200 free and 200 cold of 1000 blocks' });
    expect(poolBudget(pool({ freeBlocks: 0, blocksByHeat: [0, 0, 0, 0, 0, 1000] })).blocks).toBe(0);
  });

  it('leaves out what other migrations have reserved: what they have read looks cold', () => {
    const budget = poolBudget(pool(), { reservedBlocks: 130 });
    expect(budget.blocks).toBe(270);
    expect(budget.reason).toContain('less 130 of other migrations');
  });

  it("does not evict the work set's own blocks to read others of it", () => {
    expect(poolBudget(pool(), { ownColdBlocks: 150 }).blocks).toBe(250);
  });

  it('keeps to a part of the pool even when all of it is free', () => {
    const empty = pool({ freeBlocks: 1000, blocksByHeat: [0, 0, 0, 0, 0, 0] });
    expect(poolBudget(empty)).toEqual({
      blocks: 900,
      reason: '1000 free and 0 cold of 1000 blocks, at most 90 % of the pool',
    });
    expect(poolBudget(empty, { maxFraction: 0.5, reservedBlocks: 300 }).blocks).toBe(200);
  });

  it('is a stated part where the pool cannot be seen', () => {
    const unseen = pool({ known: false, freeBlocks: 0, blocksByHeat: [] });
    expect(poolBudget(unseen)).toEqual({
      blocks: 250,
      reason: 'the pool cannot be seen: 25 % of its 1000 blocks',
    });
    expect(poolBudget(unseen, { reservedBlocks: 900 }).blocks).toBe(0);
  });

  it('never counts a hot buffer, whatever is in the pool', () => {
    const counts = fc.array(fc.nat(500), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(
        fc.nat(500),
        counts,
        fc.nat(800),
        fc.nat(800),
        (freeBlocks, blocksByHeat, reserved, own) => {
          const hot = blocksByHeat.slice(2).reduce((a, b) => a + b, 0);
          const poolBlocks = freeBlocks + blocksByHeat.reduce((a, b) => a + b, 0);
          const given = { known: true, poolBlocks, freeBlocks, blocksByHeat };
          const { blocks } = poolBudget(given, { reservedBlocks: reserved, ownColdBlocks: own });
          expect(blocks).toBeGreaterThanOrEqual(0);
          expect(blocks).toBeLessThanOrEqual(Math.max(0, poolBlocks - hot - reserved));
          expect(blocks).toBeLessThanOrEqual(Math.ceil(poolBlocks * 0.9));
          expect(Number.isInteger(blocks)).toBe(true);
        },
      ),
    );
  });
});

describe('the budget of the OS cache', () => {
  it('is a part of the available memory, less what is reserved', () => {
    expect(osCacheBudget(2 ** 30, { blockBytes: 8192 })).toEqual({
      blocks: 65_536,
      reason: '50 % of 1024 MiB available',
    });
    const reserved = osCacheBudget(2 ** 30, { blockBytes: 8192, reservedBytes: 2 ** 28, fraction: 0.5 });
    expect(reserved).toEqual({ blocks: 32_768, reason: '50 % of 1024 MiB available, less 256 MiB reserved' });
    expect(osCacheBudget(2 ** 20, { blockBytes: 8192, reservedBytes: 2 ** 30 }).blocks).toBe(0);
  });

  it('is nothing where the memory is unknown', () => {
    expect(osCacheBudget(null, { blockBytes: 8192 })).toEqual({
      blocks: 0,
      reason: "the host's memory is unknown",
    });
  });
});
