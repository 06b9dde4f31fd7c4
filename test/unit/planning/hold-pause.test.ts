import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultHoldPauseOptions, holdPauseMs } from '../../../src/planning/hold-pause.ts';

describe('the pause of the hold', () => {
  it('keeps the cost of rounds under its fraction, whatever changes', () => {
    fc.assert(
      fc.property(
        fc.nat(60_000),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(60_000),
        (cost, changed, last) => {
          const pause = holdPauseMs({ roundCostMs: cost, changedFraction: changed, lastPauseMs: last });
          expect(cost / (cost + pause)).toBeLessThanOrEqual(defaultHoldPauseOptions.costFraction + 1e-9);
          expect(pause).toBeGreaterThanOrEqual(defaultHoldPauseOptions.shortestMs);
        },
      ),
    );
  });

  it('grows while little changes, shrinks while much does, within its bounds', () => {
    const next = (changedFraction: number, lastPauseMs: number) =>
      holdPauseMs({ roundCostMs: 10, changedFraction, lastPauseMs });
    expect(next(0, 4000)).toBe(8000);
    expect(next(0.01, 4000)).toBe(4000);
    expect(next(0.3, 4000)).toBe(2000);
    expect(next(0, 29_000)).toBe(30_000);
    expect(next(1, 1000)).toBe(1000);
  });

  it('is short before the first round, however dear one is, and not longer than the shortest', () => {
    const first = { roundCostMs: 9_000, changedFraction: 0, lastPauseMs: null };
    expect(holdPauseMs(first)).toBe(500);
    expect(holdPauseMs(first, { ...defaultHoldPauseOptions, shortestMs: 100 })).toBe(100);
  });
});
