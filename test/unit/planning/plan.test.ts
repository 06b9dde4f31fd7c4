import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BlockRanges, blockCount, emptyRanges, rangesOf } from '../../../src/planning/block-ranges.ts';
import { type Plan, type PlanInput, type PlanMatch, planPrewarm } from '../../../src/planning/plan.ts';
import { relationKey, type WorkSetRelation } from '../../../src/planning/work-set.ts';
import { plainShare } from '../../../src/planning/worth-warming.ts';
import { planInput, toMap } from './arbitraries.ts';

const blockId = (key: string, block: number) => `${key}#${block}`;

/** Every block that a plan reads, in order, with its tier; throws where one comes twice. */
function readsOf(plan: Plan): Map<string, { tier: 'pool' | 'os'; heat: number; key: string; block: number }> {
  const reads = new Map<string, { tier: 'pool' | 'os'; heat: number; key: string; block: number }>();
  for (const { key, tier, ranges } of plan.segments) {
    for (const [block, heat] of toMap(ranges)) {
      if (reads.has(blockId(key, block))) throw new Error(`${key} block ${block} is read twice`);
      reads.set(blockId(key, block), { tier, heat, key, block });
    }
  }
  return reads;
}

const relation = (name: string, options: Partial<WorkSetRelation> = {}): WorkSetRelation => ({
  ...{ database: 'app', schema: 'public', name, kind: 'table', fork: 'main', filenode: '1/1/1' },
  ...{ sizeBlocks: 1000, share: 0.5, ranges: emptyRanges },
  ...options,
});

const match = (wanted: WorkSetRelation, verdict: PlanMatch['verdict'] = 'blocks'): PlanMatch =>
  verdict === 'absent' ? { wanted, verdict } : { wanted, verdict, local: wanted };

const input = (matches: PlanMatch[], options: Partial<PlanInput> = {}): PlanInput => ({
  ...{ matches, blocksKnown: true, resident: new Map<string, BlockRanges>() },
  ...{
    budget: { poolBlocks: 1e6, osBlocks: 0 },
    model: { operationMs: 1, byteMs: 1e-5, rule: 'sum' as const },
  },
  ...{ blockBytes: 8192, deadlineMs: null, goal: 0.95 },
  ...options,
});

describe('for every work set, pool, budget and deadline', () => {
  it('is never over either budget, nor over the end of a file', () => {
    fc.assert(
      fc.property(planInput, (given) => {
        const plan = planPrewarm(given);
        const reads = [...readsOf(plan).values()];
        expect(reads.filter((r) => r.tier === 'pool').length).toBe(plan.plannedBlocks);
        expect(reads.filter((r) => r.tier === 'os').length).toBe(plan.osBlocks);
        expect(plan.plannedBlocks).toBeLessThanOrEqual(given.budget.poolBlocks);
        expect(plan.osBlocks).toBeLessThanOrEqual(given.budget.osBlocks);
        for (const s of plan.segments) {
          for (const block of toMap(s.ranges).keys()) expect(block).toBeLessThan(s.relation.sizeBlocks);
        }
      }),
    );
  });

  it('reads no block twice, across tiers and classes, and none that the pool holds', () => {
    fc.assert(
      fc.property(planInput, (given) => {
        for (const { key, block } of readsOf(planPrewarm(given)).values()) {
          expect(toMap(given.resident.get(key) ?? emptyRanges).get(block) ?? 0).toBe(0);
        }
      }),
    );
  });

  it('read + resident + skipped is the work set, relation by relation', () => {
    fc.assert(
      fc.property(planInput, (given) => {
        const plan = planPrewarm(given);
        expect(plan.perRelation.length).toBe(given.matches.length);
        given.matches.forEach(({ wanted, verdict, local }, i) => {
          const r = plan.perRelation[i]!;
          expect(r.key).toBe(relationKey(wanted));
          const listed = blockCount(wanted.ranges);
          const seldom = wanted.share < plainShare && 2 * listed < (local?.sizeBlocks ?? 0);
          const whole = given.blocksKnown && (listed === 0 || seldom) ? 0 : (local?.sizeBlocks ?? 0);
          const placed = r.blocks + r.osBlocks + r.residentBlocks + r.skippedBlocks;
          expect(placed).toBe(verdict === 'relation' ? whole : listed);
        });
        for (const total of ['residentBlocks', 'skippedBlocks', 'osBlocks'] as const) {
          expect(plan[total]).toBe(plan.perRelation.reduce((n, r) => n + r[total], 0));
        }
        expect(plan.skippedReason === undefined).toBe(plan.skippedBlocks === 0);
      }),
    );
  });

  it('of exact blocks reads only wanted ones: hot ones to the pool before any to the OS cache', () => {
    fc.assert(
      fc.property(planInput, (given) => {
        const reads = readsOf(planPrewarm(given));
        const heats = { pool: [] as number[], os: [] as number[], none: [] as number[] };
        for (const { wanted, verdict, local } of given.matches) {
          if (verdict !== 'blocks' || local === undefined) continue;
          const key = relationKey(wanted);
          const there = toMap(given.resident.get(key) ?? emptyRanges);
          for (const [block, heat] of toMap(wanted.ranges)) {
            const read = reads.get(blockId(key, block));
            reads.delete(blockId(key, block));
            if (read !== undefined) expect(read.heat).toBe(heat);
            if (block >= local.sizeBlocks || (there.get(block) ?? 0) > 0) continue;
            if (heat === 0 && there.has(block)) continue;
            heats[read?.tier ?? 'none'].push(heat);
          }
        }
        const names = new Set(
          given.matches.filter((m) => m.verdict === 'relation').map((m) => relationKey(m.wanted)),
        );
        for (const { key } of reads.values()) expect(names.has(key)).toBe(true);
        expect(Math.min(...heats.pool, 6)).toBeGreaterThan(0);
        expect(Math.min(...heats.pool)).toBeGreaterThanOrEqual(Math.max(...heats.os, 0));
        expect(Math.min(...heats.os)).toBeGreaterThanOrEqual(Math.max(...heats.none, 0));
        expect(Math.min(...heats.pool)).toBeGreaterThanOrEqual(Math.max(...heats.none, 0));
      }),
    );
  });

  it('goes through a relation of one class by block, and through the pool before the OS cache', () => {
    fc.assert(
      fc.property(planInput, (given) => {
        const tiers = planPrewarm(given).segments.map((s) => s.tier);
        expect(tiers.join()).toBe([...tiers].sort().reverse().join());
      }),
    );
  });
});

describe('order', () => {
  const hotAndCold = (runs: number) =>
    rangesOf(Array.from({ length: runs }, (_, i) => [i * 100, 10, 1 + (i % 5)] as const));

  it('reads catalogs behind what the VM reads itself, however hot, and before whole relations', () => {
    const hot = { ranges: rangesOf([[0, 4, 5]]) };
    const matches = [
      match(relation('by_name', { share: 0.9, ranges: rangesOf([[0, 1, 1]]) }), 'relation'),
      match(relation('pg_proc', { ...hot, schema: 'pg_catalog', share: 0, catalog: true })),
      match(relation('own', { ranges: rangesOf([[0, 50, 1]]) })),
    ];
    for (const deadlineMs of [null, 1]) {
      const { segments } = planPrewarm(input(matches, { deadlineMs }));
      expect([...new Set(segments.map(({ relation: { name } }) => name))]).toEqual([
        'own',
        'pg_proc',
        'by_name',
      ]);
    }
  });

  it('is one class by block where all fits the deadline', () => {
    const plan = planPrewarm(
      input([match(relation('t', { sizeBlocks: 1e4, ranges: hotAndCold(50) }))], { deadlineMs: 1e6 }),
    );
    expect(plan.segments.length).toBe(1);
    expect(plan.segments[0]!.ranges.starts.length).toBe(50);
    expect(plan.orderReason).toContain('fits the deadline');
  });

  it('has the sparsest last where the goal can do without, catalogs before it, and a deadline leaves time for it', () => {
    const ranges = rangesOf(
      Array.from({ length: 400 }, (_, i) => [i * 1000, i % 20 === 0 ? 1 : 60, 3] as const),
    );
    const t = relation('t', { sizeBlocks: 1e6, ranges });
    const catalog = relation('pg_proc', { catalog: true, ranges: rangesOf([[0, 4, 5]]) });
    const given = input([match(t), match(catalog)], { model: { operationMs: 8, byteMs: 5e-6, rule: 'sum' } });
    const plan = planPrewarm(given);
    expect(plan.segments.map((s) => [s.relation.name, s.blocks])).toEqual([
      ['t', 380 * 60],
      ['pg_proc', 4],
      ['t', 20],
    ]);
    // A tenth is kept free before it: all fits, and not much more.
    const deadlineMs = (1.01 * plan.totalMs) / 0.9;
    for (const options of [{ goal: 1 }, { deadlineMs }]) {
      expect(planPrewarm({ ...given, ...options }).segments.map((s) => s.blocks)).toEqual([22_820, 4]);
    }
  });

  it('puts the largest hot class that fits first where the deadline cuts, then hottest first', () => {
    const given = input([match(relation('t', { sizeBlocks: 1e4, ranges: hotAndCold(50) }))]);
    const { totalMs } = planPrewarm(given);
    const plan = planPrewarm({ ...given, deadlineMs: totalMs / 2 });
    const classes = plan.segments.map((s) => new Set(s.ranges.heats));
    expect(classes.map((c) => [...c].sort().join(''))).toEqual(['45', '3', '2', '1']);
    const late = planPrewarm({ ...given, deadlineMs: -5 }).segments;
    expect(late.map((s) => s.ranges.heats[0])).toEqual([5, 4, 3, 2, 1]);
  });

  it('never lets a colder block go before a hotter class when time is short', () => {
    fc.assert(
      fc.property(planInput, (given) => {
        const plan = planPrewarm({ ...given, deadlineMs: 0 });
        const exact = new Set(
          given.matches.filter((m) => m.verdict === 'blocks').map((m) => relationKey(m.wanted)),
        );
        const classes = plan.segments
          .filter((s) => s.tier === 'pool' && exact.has(s.key))
          .map((s) => s.ranges.heats[0]!);
        if (plan.poolMs > 0) expect(classes).toEqual([...classes].sort((a, b) => b - a));
      }),
    );
  });
});

describe('relations known by name alone', () => {
  it('are not read whole for a few blocks that are seldom used', () => {
    const few = { sizeBlocks: 100, ranges: rangesOf([[0, 3, 5]]) };
    const plan = planPrewarm(
      input([
        match(relation('seldom', { ...few, share: 0.0001 }), 'relation'),
        match(relation('often', { ...few, share: 0.1 }), 'relation'),
        match(relation('small', { ...few, share: 0.0001, sizeBlocks: 5 }), 'relation'),
      ]),
    );
    expect(plan.segments.map((s) => [s.relation.name, s.blocks])).toEqual([
      ['often', 100],
      ['small', 5],
    ]);
  });

  it('come by share, indexes before tables, the last in part by its newest blocks', () => {
    const matches = [
      match(relation('small', { share: 0.1, sizeBlocks: 100 }), 'relation'),
      match(relation('t', { share: 0.4, sizeBlocks: 100 }), 'relation'),
      match(
        relation('t_pkey', { share: 0.4, sizeBlocks: 50, kind: 'index', parent: 'public.t' }),
        'relation',
      ),
    ];
    const plan = planPrewarm(
      input(matches, { blocksKnown: false, budget: { poolBlocks: 120, osBlocks: 0 } }),
    );
    expect(plan.segments.map((s) => [s.relation.name, s.ranges.starts[0], s.blocks])).toEqual([
      ['t_pkey', 0, 50],
      ['t', 30, 70],
    ]);
    expect(plan.strategy).toBe('relations');
    expect(plan.strategyReason).toContain('the source told no blocks');
    expect(plan.perRelation.map((r) => r.strategy)).toEqual(['skipped', 'relation', 'relation']);
  });

  it('get what exact blocks leave, and the OS cache takes what the pool cannot', () => {
    const matches = [
      match(
        relation('rewritten', { share: 0.9, sizeBlocks: 100, ranges: rangesOf([[0, 3, 5]]) }),
        'relation',
      ),
      match(
        relation('exact', {
          share: 0.1,
          ranges: rangesOf([
            [0, 60, 1],
            [60, 40, 0],
          ]),
        }),
      ),
    ];
    const plan = planPrewarm(input(matches, { budget: { poolBlocks: 80, osBlocks: 50 } }));
    expect(plan.strategy).toBe('mixed');
    expect(
      plan.perRelation.map(({ blocks, osBlocks, skippedBlocks }) => [blocks, osBlocks, skippedBlocks]),
    ).toEqual([
      [20, 10, 70],
      [60, 40, 0],
    ]);
  });

  it('are left alone where the source is seen and caches nothing of them', () => {
    const plan = planPrewarm(input([match(relation('idle'), 'relation')]));
    expect(plan.segments).toEqual([]);
  });
});

describe('the record', () => {
  it('says none, and why, where nothing of the work set is at the target', () => {
    const plan = planPrewarm(input([match(relation('gone', { ranges: rangesOf([[0, 7, 3]]) }), 'absent')]));
    expect(plan).toMatchObject({ strategy: 'none', skippedBlocks: 7, plannedBlocks: 0, segments: [] });
    expect(plan.skippedReason).toContain('not on the target');
    expect(planPrewarm(input([])).strategyReason).toContain('no relation');
  });

  it('counts a block in the OS cache of the target as done for the second tier, not for the pool', () => {
    const wanted = relation('t', {
      ranges: rangesOf([
        [0, 10, 3],
        [10, 10, 0],
      ]),
    });
    const resident = new Map([[relationKey(wanted), rangesOf([[0, 20, 0]])]]);
    const plan = planPrewarm(
      input([match(wanted)], { resident, budget: { poolBlocks: 100, osBlocks: 100 } }),
    );
    expect(plan).toMatchObject({ plannedBlocks: 10, osBlocks: 0, residentBlocks: 10, skippedBlocks: 0 });
  });

  it('takes a relation that is listed twice once', () => {
    const wanted = relation('t', { ranges: rangesOf([[0, 10, 3]]) });
    expect(planPrewarm(input([match(wanted), match(wanted)])).plannedBlocks).toBe(10);
  });
});
