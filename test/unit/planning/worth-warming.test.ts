import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainShare, worthWarming } from '../../../src/planning/worth-warming.ts';

const named = (parts: Record<string, readonly [share: number, blocks: number]>) =>
  Object.entries(parts).map(([name, [share, blocks]]) => ({ name, share, blocks }));
const kept = (parts: Parameters<typeof named>[0], leastDensity = 0.01) =>
  worthWarming(named(parts), leastDensity).map(({ name }) => name);

describe('the relations that are worth their blocks', () => {
  it('are small ones that are touched seldom beside a scan, and not large ones that are hardly touched', () => {
    const parts = { scanned: [0.9998, 10_000], small: [0.0001, 8], others: [0.0001, 5_000] } as const;
    expect(kept(parts)).toEqual(['scanned', 'small']);
    expect(kept(parts, 0.0001)).toEqual(['scanned', 'small', 'others']);
  });

  it('are all that have a thousandth of the accesses, and all of which nothing is cached', () => {
    const part = fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }), blocks: fc.nat(1_000_000) });
    fc.assert(
      fc.property(fc.array(part), (relations) => {
        const worth = new Set(worthWarming(relations, 0.01));
        for (const one of relations) {
          if (one.share >= plainShare || one.blocks === 0) expect(worth.has(one)).toBe(true);
        }
      }),
    );
  });
});
