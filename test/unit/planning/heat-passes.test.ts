import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heatPasses } from '../../../src/planning/heat-passes.ts';
import { blockRanges, toMap } from './arbitraries.ts';

const limits = fc.record({ spans: fc.integer({ min: 1, max: 5 }), blocks: fc.integer({ min: 1, max: 20 }) });

describe('heat passes', () => {
  it("give each resident block the source's heat by touches of one, no more than it lacks, and read nothing", () => {
    fc.assert(
      fc.property(blockRanges(), blockRanges(), limits, (source, resident, bounds) => {
        const before = toMap(resident);
        const heats = new Map(before);
        const touches = new Map<number, number>();
        let last = 2;
        for (const { heat, spans, blocks } of heatPasses(source, resident, bounds)) {
          expect(heat).toBeGreaterThanOrEqual(last);
          last = heat;
          let count = 0;
          for (let i = 0; i < spans.length; i += 2) {
            for (let block = spans[i]!; block < spans[i + 1]!; block++) {
              expect(heats.get(block) ?? 0).toBe(heat - 1);
              heats.set(block, heat);
              touches.set(block, (touches.get(block) ?? 0) + 1);
              count += 1;
            }
          }
          expect(count).toBe(blocks);
          expect(blocks).toBeLessThanOrEqual(bounds.blocks);
          expect(spans.length / 2).toBeLessThanOrEqual(bounds.spans);
        }
        const wanted = toMap(source);
        for (const [block, heat] of before) {
          const goal = heat === 0 ? 0 : Math.max(heat, wanted.get(block) ?? 0);
          expect(heats.get(block)).toBe(goal);
          expect(touches.get(block) ?? 0).toBe(goal - heat);
        }
      }),
    );
  });
});
