import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fairShares,
  longestWaitPerCandidate,
  nextTurn,
  type TurnCandidate,
} from '../../../src/planning/shares.ts';

describe('fair shares', () => {
  it('give the modest all they need and split the rest evenly', () => {
    expect(fairShares(100, [10, 1000, 60])).toEqual([10, 45, 45]);
    expect(fairShares(100, [10, 20, 30])).toEqual([10, 20, 30]);
    expect(fairShares(5, [10, 10, 10])).toEqual([1, 2, 2]);
    expect(fairShares(0, [3])).toEqual([0]);
    expect(fairShares(-4, [3])).toEqual([0]);
    expect(fairShares(10, [])).toEqual([]);
  });

  it('are never over the total, use all that is needed, and are max-min', () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.array(fc.nat(2000), { minLength: 1, maxLength: 12 }), (total, needs) => {
        const shares = fairShares(total, needs);
        const sum = shares.reduce((a, b) => a + b, 0);
        expect(sum).toBe(
          Math.min(
            total,
            needs.reduce((a, b) => a + b, 0),
          ),
        );
        const largest = Math.max(...shares);
        shares.forEach((share, i) => {
          expect(share).toBeLessThanOrEqual(needs[i]!);
          // Whoever is short has as much as anybody, to the block.
          if (share < needs[i]!) expect(share).toBeGreaterThanOrEqual(largest - 1);
        });
      }),
    );
  });
});

describe('the next turn', () => {
  const candidate = (id: string, options: Partial<TurnCandidate> = {}): TurnCandidate => ({
    ...{ id, arrived: false, deadlineMs: null, waitedTurns: 0 },
    ...options,
  });

  it('is of a VM that has arrived, then of the earliest deadline', () => {
    const [soon, later] = [candidate('soon', { deadlineMs: 10 }), candidate('later', { deadlineMs: 20 })];
    const here = candidate('here', { arrived: true, deadlineMs: 99 });
    expect(nextTurn([later, soon, candidate('never')])).toBe(soon);
    expect(nextTurn([soon, later, here])).toBe(here);
    expect(nextTurn([])).toBeUndefined();
  });

  it('goes round among those that have arrived', () => {
    const early = candidate('a', { arrived: true, waitedTurns: 1, deadlineMs: 1 });
    const waiting = candidate('b', { arrived: true, waitedTurns: 2, deadlineMs: 50 });
    expect(nextTurn([early, waiting])).toBe(waiting);
  });

  it('comes to everybody, whatever the others are', () => {
    const shape = fc.record({ arrived: fc.boolean(), deadlineMs: fc.option(fc.nat(100)) });
    fc.assert(
      fc.property(fc.array(shape, { minLength: 1, maxLength: 6 }), (shapes) => {
        const waited = shapes.map(() => 0);
        const served = shapes.map(() => 0);
        for (let turn = 0; turn < 200; turn++) {
          const list = shapes.map((s, i) => ({ ...s, id: String(i), waitedTurns: waited[i]! }));
          const at = Number(nextTurn(list)!.id);
          served[at]! += 1;
          waited.forEach((_, i) => {
            waited[i] = i === at ? 0 : waited[i]! + 1;
          });
          expect(Math.max(...waited)).toBeLessThanOrEqual((longestWaitPerCandidate + 1) * shapes.length);
        }
        expect(Math.min(...served)).toBeGreaterThan(0);
      }),
    );
  });
});
