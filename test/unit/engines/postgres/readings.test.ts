import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LocalRelation, WarmStep } from '../../../../src/engines/engine.ts';
import { readingsOf } from '../../../../src/engines/postgres/readings.ts';

const relation: LocalRelation = {
  database: 'app',
  schema: 'public',
  name: 't',
  kind: 'table',
  fork: 'main',
  oid: 1,
  filenode: '1/2/3',
  sizeBlocks: 1_000_000,
};

/** Steps as the planner makes them: ascending spans, runs that cover whole spans. */
const steps: fc.Arbitrary<WarmStep> = fc
  .record({
    tier: fc.constantFrom('pool' as const, 'os' as const),
    parts: fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 900 })), {
      minLength: 1,
      maxLength: 40,
    }),
    bridgeUpTo: fc.integer({ min: 0, max: 60 }),
  })
  .map(({ tier, parts, bridgeUpTo }) => {
    const wanted: number[] = [];
    const runs: [start: number, end: number, spans: number][] = [];
    let at = 0;
    for (const [gap, length] of parts) {
      const last = runs.at(-1);
      if (last !== undefined && gap <= bridgeUpTo) {
        last[1] = at + gap + length;
        last[2] += 1;
      } else runs.push([at + gap, at + gap + length, 1]);
      wanted.push(at + gap, at + gap + length);
      at += gap + length;
    }
    const readThrough = runs.flatMap(([start, end, spans]) => (spans > 1 ? [start, end] : []));
    return { relation, tier, wanted, readThrough };
  });

const options = fc.record({
  combineBlocks: fc.constantFrom(1, 16, 32, 128),
  gapsMayEnterPool: fc.boolean(),
});

function blocksOf(spans: readonly number[]): Set<number> {
  const blocks = new Set<number>();
  for (let at = 0; at + 1 < spans.length; at += 2) {
    for (let block = spans[at]!; block < spans[at + 1]!; block++) blocks.add(block);
  }
  return blocks;
}

describe('readingsOf', () => {
  it('counts each wanted block exactly once, besides it only gaps that are read through, in the tier asked for', () => {
    fc.assert(
      fc.property(steps, options, (step, how) => {
        const counted: number[] = [];
        for (const { start, end, weight, mode } of readingsOf(step, how)) {
          expect(end).toBeGreaterThan(start);
          if (weight === 0) continue;
          expect(mode).toBe(step.tier === 'pool' ? 'buffer' : 'read');
          for (let block = start; block < end; block++) counted.push(block);
        }
        const wanted = blocksOf(step.wanted);
        const through = blocksOf(step.readThrough);
        expect(new Set(counted).size).toBe(counted.length);
        expect([...wanted].filter((block) => !counted.includes(block))).toEqual([]);
        const gaps = counted.filter((block) => !wanted.has(block));
        if (!how.gapsMayEnterPool) expect(gaps).toEqual([]);
        expect(gaps.filter((block) => !through.has(block))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('puts a gap into the pool only where that is allowed', () => {
    fc.assert(
      fc.property(steps, options, (step, how) => {
        if (how.gapsMayEnterPool) return;
        const wanted = blocksOf(step.wanted);
        for (const { start, end, mode } of readingsOf(step, how)) {
          if (mode !== 'buffer') continue;
          for (let block = start; block < end; block++) expect(wanted.has(block)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('cuts short spans into what one system call reads, from the end to the beginning', () => {
    const step: WarmStep = { relation, tier: 'pool', readThrough: [], wanted: [0, 40, 100, 110] };
    const readings = readingsOf(step, { combineBlocks: 16, gapsMayEnterPool: false });
    expect(readings.map(({ start, end }) => [start, end])).toEqual([
      [100, 110],
      [32, 40],
      [16, 32],
      [0, 16],
    ]);
  });

  it('leaves the order to the kernel where a call reads one block', () => {
    const step: WarmStep = { relation, tier: 'pool', readThrough: [0, 50], wanted: [0, 40, 45, 50] };
    expect(readingsOf(step, { combineBlocks: 1, gapsMayEnterPool: true })).toEqual([
      { mode: 'read', start: 0, end: 50, weight: 0 },
      { mode: 'buffer', start: 0, end: 40, weight: 1 },
      { mode: 'buffer', start: 45, end: 50, weight: 1 },
    ]);
  });

  it('reads bridged runs in large pieces where gaps may enter the pool', () => {
    const step: WarmStep = {
      relation,
      tier: 'pool',
      readThrough: [0, 200],
      wanted: [0, 40, 100, 200, 500, 510],
    };
    const readings = readingsOf(step, { combineBlocks: 128, gapsMayEnterPool: true });
    expect(readings.slice(0, 2)).toEqual([
      { mode: 'buffer', start: 128, end: 200, weight: 1 },
      { mode: 'buffer', start: 0, end: 128, weight: 1 },
    ]);
  });
});
