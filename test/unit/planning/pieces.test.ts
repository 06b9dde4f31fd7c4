import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangesOf } from '../../../src/planning/block-ranges.ts';
import { type DeviceCost, longRunBlocks, piecesOf } from '../../../src/planning/cost-model.ts';
import { nextStep, startCursor } from '../../../src/planning/extents.ts';
import { cheapestGap, countGaps, priceGap } from '../../../src/planning/gaps.ts';
import { blockBytes } from './synthetic-device.ts';

const hdd: DeviceCost = { operationMs: 5, byteMs: 1e-5, rule: 'max', pieceBlocks: 16 };
const gp3: DeviceCost = { operationMs: 1 / 3, byteMs: 8e-6, rule: 'max', pieceBlocks: 16 };
/** Runs of 40 blocks, too far apart for any gap to be worth it. */
const farRuns = rangesOf(Array.from({ length: 50 }, (_, i) => [i * 10_000, 40, 3] as const));

const stepOf = (model: DeviceCost, tier: 'pool' | 'os' = 'pool') =>
  nextStep([{ relation: 't', tier, ranges: farRuns }], startCursor, {
    ...{ model, blockBytes, gapBlocks: () => 0 },
    limits: { wantedBlocks: 800, readBlocks: 4_000, spans: 100, places: 100, predictedMs: 10_000 },
  })!.step;

describe('runs that are read in pieces', () => {
  it('take an operation for each, long ones for each larger one, and one where the kernel combines them', () => {
    const pieces = (blocks: number, pieceBlocks?: number) => piecesOf({ ...hdd, pieceBlocks }, blocks);
    expect([1, 16, 17, 40, longRunBlocks, longRunBlocks + 1].map((blocks) => pieces(blocks, 16))).toEqual([
      1, 1, 2, 3, 1, 2,
    ]);
    expect(pieces(200)).toBe(1);
  });

  it('are read through where operations are dear, and straight where they are not', () => {
    expect(stepOf(hdd)).toMatchObject({ operations: 15, bridgedBlocks: 0, wantedBlocks: 600 });
    expect(stepOf(hdd).readThrough).toEqual(stepOf(hdd).wanted);
    expect(stepOf(hdd).secondPassBytes).toBe(600 * blockBytes);
    expect(stepOf(gp3)).toMatchObject({ operations: 45, readThrough: [], secondPassBytes: 0 });
    expect(stepOf({ ...hdd, pieceBlocks: undefined })).toMatchObject({ operations: 15, readThrough: [] });
    expect(stepOf(gp3, 'os')).toMatchObject({ operations: 15 });
  });

  it('are priced as they are read', () => {
    const gaps = countGaps(farRuns);
    expect(priceGap(gp3, gaps, { gapBlocks: 0, blockBytes }).operations).toBe(150);
    expect(priceGap(hdd, gaps, { gapBlocks: 0, blockBytes }).operations).toBe(50);
    const whole = { ...hdd, pieceBlocks: undefined };
    expect(priceGap(whole, gaps, { gapBlocks: 0, blockBytes }).operations).toBe(50);
  });

  it('cost never less than whole ones, and never more than by reading all through', () => {
    const runs = fc.array(
      fc.record({ gap: fc.integer({ min: 1, max: 300 }), length: fc.integer({ min: 1, max: 400 }) }),
      { minLength: 1, maxLength: 50 },
    );
    const cost = fc.record({
      operationMs: fc.double({ min: 0, max: 10, noNaN: true }),
      byteMs: fc.double({ min: 1e-7, max: 1e-4, noNaN: true }),
      rule: fc.constantFrom('sum' as const, 'max' as const),
      pieceBlocks: fc.constantFrom(1, 16, 64),
    });
    fc.assert(
      fc.property(runs, cost, (list, model) => {
        let at = 0;
        const ranges = rangesOf(
          list.map(({ gap, length }) => {
            const start = at + gap;
            at = start + length;
            return [start, length, 3] as const;
          }),
        );
        const gaps = countGaps(ranges);
        const ms = cheapestGap(model, gaps, blockBytes).ms;
        const whole = cheapestGap({ ...model, pieceBlocks: undefined }, gaps, blockBytes).ms;
        expect(ms).toBeGreaterThanOrEqual(whole * (1 - 1e-9));
        const through = priceGap(model, gaps, { gapBlocks: 0, blockBytes });
        expect(through.operations).toBeGreaterThanOrEqual(gaps.runs);
      }),
    );
  });
});
