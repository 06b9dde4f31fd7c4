import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BlockRanges,
  blockCount,
  emptyRanges,
  rangesOf,
  subtract,
} from '../../../src/planning/block-ranges.ts';
import { defaultHoldPauseOptions, heldAfter, holdPauseMs, planDelta } from '../../../src/planning/delta.ts';
import { planPrewarm } from '../../../src/planning/plan.ts';
import { planInput, toMap } from './arbitraries.ts';

describe('a delta round', () => {
  it('has nothing to read where all that was planned is still there', () => {
    fc.assert(
      fc.property(planInput, (given) => {
        const first = planPrewarm(given);
        const held = heldAfter(first, given.resident);
        const poolLeft = given.budget.poolBlocks - first.plannedBlocks;
        const again = planDelta(
          { ...given, resident: held, budget: { poolBlocks: poolLeft, osBlocks: 0 } },
          held,
        );
        expect(again).toMatchObject({ lostBlocks: 0, newBlocks: 0, changedFraction: 0 });
        expect(again.plan.residentBlocks).toBeGreaterThanOrEqual(first.plannedBlocks);
      }),
    );
  });

  it('reads again what the target lost, told apart from what is new at the source', () => {
    const wanted = {
      ...{ database: 'app', schema: 'public', name: 't', kind: 'table' as const, fork: 'main' as const },
      ...{ filenode: '1/1/1', sizeBlocks: 100, share: 1 },
    };
    const given = (ranges: BlockRanges, resident: BlockRanges) => {
      const relation = { ...wanted, ranges };
      return {
        matches: [{ wanted: relation, verdict: 'blocks' as const, local: relation }],
        ...{ blocksKnown: true, resident: new Map([[key, resident]]), blockBytes: 8192, deadlineMs: null },
        ...{
          budget: { poolBlocks: 1000, osBlocks: 0 },
          model: { operationMs: 1, byteMs: 1e-5, rule: 'sum' as const },
        },
      };
    };
    const key = JSON.stringify(['app', 'public', 't', 'main']);
    const before = rangesOf([[0, 40, 3]]);
    const held = heldAfter(planPrewarm(given(before, emptyRanges)), new Map());
    const now = rangesOf([[0, 50, 3]]);
    const lost = rangesOf([[5, 4, 1]]);
    const { plan, ...change } = planDelta(given(now, subtract(before, lost)), held);
    expect(change).toEqual({ newBlocks: 10, lostBlocks: 4, changedFraction: 14 / 50 });
    expect([...toMap(plan.segments[0]!.ranges).keys()]).toEqual([
      5, 6, 7, 8, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49,
    ]);
    expect(blockCount(held.get(key)!)).toBe(40);
  });
});

describe('the pause of the hold', () => {
  it('keeps the cost of rounds under its fraction, whatever changes', () => {
    fc.assert(
      fc.property(
        fc.nat(60_000),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.option(fc.nat(60_000)),
        (cost, changed, last) => {
          const pause = holdPauseMs({ roundCostMs: cost, changedFraction: changed, lastPauseMs: last });
          expect(cost / (cost + pause)).toBeLessThanOrEqual(defaultHoldPauseOptions.costFraction + 1e-9);
          expect(pause).toBeGreaterThanOrEqual(defaultHoldPauseOptions.shortestMs);
        },
      ),
    );
  });

  it('grows while little changes, shrinks while much does, within its bounds', () => {
    const next = (changedFraction: number, lastPauseMs: number | null) =>
      holdPauseMs({ roundCostMs: 10, changedFraction, lastPauseMs });
    expect(next(0, 4000)).toBe(8000);
    expect(next(0.01, 4000)).toBe(4000);
    expect(next(0.3, 4000)).toBe(2000);
    expect(next(0, 29_000)).toBe(30_000);
    expect(next(1, 1000)).toBe(1000);
    expect(next(1, null)).toBe(1000);
  });
});
