import { describe, expect, it } from 'vitest';
import type { VmObservation } from '../../../../src/engines/engine.ts';
import { exactly } from '../../../../src/engines/mysql/exact-shares.ts';
import { indexKey } from '../../../../src/engines/mysql/index-usage.ts';
import { refOf } from '../../../../src/engines/mysql/shares.ts';

const ref = (name: string, index = 'PRIMARY') => refOf({ database: 'app', name }, index);
const seenBy = (
  relations: readonly (readonly [string, string, number])[],
  unexplained = 0,
): VmObservation => {
  const blocks = relations.reduce((sum, [, , one]) => sum + one, unexplained);
  return {
    ...{ blocks, blocksHit: blocks, blocksRead: 0, splitBlocks: 0 },
    relations: relations.map(([name, index, one]) => ({ ref: ref(name, index), blocks: one })),
    unexplained:
      unexplained === 0
        ? []
        : [{ database: 'app', queryId: 'q', blocks: unexplained, reason: 'its text was not seen' }],
  };
};
const counted = (...counts: readonly (readonly [string, string, number])[]) =>
  new Map(counts.map(([name, index, accesses]) => [indexKey('app', name, index), accesses]));
const blocksOf = (seen: VmObservation) =>
  Object.fromEntries(seen.relations.map((one) => [one.ref.name, Math.round(one.blocks)]));

describe('what a VM touches, as it was counted alone', () => {
  it('is divided by these counts, with nothing left unexplained, and adds up to the same volume', () => {
    const seen = seenBy([['items', 'PRIMARY', 100]], 300);
    const exact = exactly(seen, counted(['items', 'PRIMARY', 300], ['orders', 'PRIMARY', 100]));
    expect(blocksOf(exact)).toEqual({ items: 300, orders: 100 });
    expect(exact).toMatchObject({ blocks: 400, unexplained: [] });
  });

  it('leaves out what was not touched, and keeps what is too rare to be seen', () => {
    const seen = seenBy([
      ['items', 'PRIMARY', 8_900],
      ['others', 'PRIMARY', 1_090],
      ['reports', 'PRIMARY', 10],
    ]);
    const exact = blocksOf(exactly(seen, counted(['items', 'PRIMARY', 1_000])));
    expect(Object.keys(exact).sort()).toEqual(['items', 'reports']);
    expect(exact['reports']).toBe(10);
  });

  it('has the rows with another index, but where that is known to answer alone', () => {
    const byIndex = counted(['items', 'grp_idx', 1_000]);
    expect(blocksOf(exactly(seenBy([['items', 'grp_idx', 100]]), byIndex))).toEqual({ 'items.grp_idx': 100 });
    const withRows = seenBy([
      ['items', 'grp_idx', 50],
      ['items', 'PRIMARY', 50],
    ]);
    expect(blocksOf(exactly(withRows, byIndex))).toEqual({ 'items.grp_idx': 50, items: 50 });
    expect(blocksOf(exactly(seenBy([], 100), byIndex))).toEqual({ 'items.grp_idx': 50, items: 50 });
  });

  it('is left as its statements tell where little or nothing was counted', () => {
    const seen = seenBy([['items', 'PRIMARY', 100]], 5);
    expect(exactly(seen, undefined)).toBe(seen);
    expect(exactly(seen, counted(['orders', 'PRIMARY', 20]))).toBe(seen);
  });
});
