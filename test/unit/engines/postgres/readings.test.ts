import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LocalRelation, WarmStep } from '../../../../src/engines/engine.ts';
import { groupsOf, inPieces, type Reading, readingsOf } from '../../../../src/engines/postgres/readings.ts';

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
    parts: fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 300 })), {
      minLength: 1,
      maxLength: 20,
    }),
    bridgeUpTo: fc.integer({ min: 0, max: 60 }),
  })
  .map(({ tier, parts, bridgeUpTo }) => {
    const wanted: number[] = [];
    const runs: [start: number, end: number][] = [];
    let bridges = false;
    let at = 0;
    for (const [gap, length] of parts) {
      const last = runs.at(-1);
      if (last !== undefined && gap <= bridgeUpTo) {
        last[1] = at + gap + length;
        bridges = true;
      } else runs.push([at + gap, at + gap + length]);
      wanted.push(at + gap, at + gap + length);
      at += gap + length;
    }
    const readThrough = bridges ? runs.flat() : [];
    return { relation, tier, wanted, readThrough };
  });

const options = fc.record({
  combineBlocks: fc.constantFrom(1, 16, 32, 128),
  readsThrough: fc.boolean(),
});

function blocksOf(spans: readonly number[]): Set<number> {
  const blocks = new Set<number>();
  for (let at = 0; at + 1 < spans.length; at += 2) {
    for (let block = spans[at]!; block < spans[at + 1]!; block++) blocks.add(block);
  }
  return blocks;
}

function blocksOfAll(calls: readonly Reading[]): number[] {
  return calls.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i));
}

describe('readingsOf', () => {
  it('brings each wanted block exactly once into the tier asked for, and nothing else into the pool', () => {
    fc.assert(
      fc.property(steps, options, (step, how) => {
        const { through, calls } = readingsOf(step, how);
        const wanted = [...blocksOf(step.wanted)];
        const counted = blocksOfAll(calls.filter(({ weight }) => weight === 1)).sort((a, b) => a - b);
        const pooled = blocksOfAll(calls.filter(({ mode }) => mode === 'buffer')).sort((a, b) => a - b);
        if (step.tier === 'pool') expect(counted).toEqual(wanted);
        else if (calls.length > 0) expect(counted).toEqual(wanted);
        else expect(wanted.filter((block) => !blocksOf(through).has(block))).toEqual([]);
        expect(pooled).toEqual(step.tier === 'pool' ? wanted : []);
      }),
      { numRuns: 60 },
    );
  });

  it('goes to the disk for what is wanted and for the gaps that are bridged, for nothing else', () => {
    fc.assert(
      fc.property(steps, options, (step, how) => {
        const { through, calls } = readingsOf(step, how);
        const asked = new Set([...blocksOf(step.wanted), ...blocksOf(step.readThrough)]);
        const read = new Set([...blocksOf(through), ...blocksOfAll(calls)]);
        expect([...read].filter((block) => !asked.has(block))).toEqual([]);
        expect([...asked].filter((block) => !read.has(block))).toEqual([]);
        for (let at = 2; at < through.length; at += 2) {
          expect(through[at]).toBeGreaterThanOrEqual(through[at - 1]!);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is the same in pieces, each no longer than asked for', () => {
    fc.assert(
      fc.property(steps, options, fc.integer({ min: 1, max: 40 }), (step, how, pieceBlocks) => {
        const whole = readingsOf(step, how);
        const cut = inPieces(whole, { pieceBlocks, combineBlocks: how.combineBlocks });
        expect([...blocksOf(cut.through)].sort()).toEqual([...blocksOf(whole.through)].sort());
        for (const mode of ['read', 'buffer'] as const) {
          const of = ({ calls }: typeof cut) =>
            blocksOfAll(calls.filter((call) => call.mode === mode)).sort();
          expect(of(cut)).toEqual(of(whole));
        }
        const groups = groupsOf(cut.through, pieceBlocks);
        const blocksIn = (group: number) =>
          groups.reduce(
            (sum, own, i) => sum + (own === group ? cut.through[2 * i + 1]! - cut.through[2 * i]! : 0),
            0,
          );
        for (const group of new Set(groups)) expect(blocksIn(group)).toBeLessThanOrEqual(pieceBlocks);
        expect([...groups].sort((a, b) => b - a)).toEqual(groups);
        const lengths = cut.through.flatMap((end, i) => (i % 2 === 1 ? [end - cut.through[i - 1]!] : []));
        expect(Math.max(0, ...lengths)).toBeLessThanOrEqual(pieceBlocks);
        if (whole.through.length > 0) expect(cut.calls).toEqual(whole.calls);
        else for (const { start, end } of cut.calls) expect(end - start).toBeLessThanOrEqual(pieceBlocks);
      }),
      { numRuns: 60 },
    );
  });

  it('cuts short spans into what one system call reads, from the end to the beginning', () => {
    const step: WarmStep = { relation, tier: 'pool', readThrough: [], wanted: [0, 40, 100, 110] };
    const { through, calls } = readingsOf(step, { combineBlocks: 16, readsThrough: true });
    expect(through).toEqual([]);
    expect(calls.map(({ start, end }) => [start, end])).toEqual([
      [100, 110],
      [32, 40],
      [16, 32],
      [0, 16],
    ]);
  });

  it('reads all by large reads first where gaps are bridged, or a call of pg_prewarm reads one block', () => {
    const step: WarmStep = { relation, tier: 'pool', readThrough: [0, 50], wanted: [0, 40, 45, 50] };
    const calls = [
      { mode: 'buffer', start: 0, end: 40, weight: 1 },
      { mode: 'buffer', start: 45, end: 50, weight: 1 },
    ];
    expect(readingsOf(step, { combineBlocks: 1, readsThrough: true })).toEqual({ through: [0, 50], calls });
    const alone = { ...step, readThrough: [] };
    expect(readingsOf(alone, { combineBlocks: 1, readsThrough: true })).toEqual({
      through: [0, 40, 45, 50],
      calls,
    });
    expect(readingsOf(step, { combineBlocks: 1, readsThrough: false })).toEqual({
      through: [],
      calls: [{ mode: 'read', start: 0, end: 50, weight: 0 }, ...calls],
    });
    expect(readingsOf(step, { combineBlocks: 16, readsThrough: true }).through).toEqual([0, 50]);
  });
});
