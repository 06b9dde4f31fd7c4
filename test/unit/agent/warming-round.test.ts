import { describe, expect, it } from 'vitest';
import { TargetShare } from '../../../src/agent/target-share.ts';
import { assess, type RoundContext } from '../../../src/agent/warming-round.ts';
import type { Engine, LocalRelation, PoolState } from '../../../src/engines/engine.ts';
import { rangesOf, singleRange } from '../../../src/planning/block-ranges.ts';
import { createCostModel } from '../../../src/planning/cost-model.ts';
import { relationKey, type WorkSet } from '../../../src/planning/work-set.ts';

const ref = { database: 'd', schema: 's', name: 't', kind: 'table' } as const;
const local: LocalRelation = { ...ref, fork: 'main', oid: 1, filenode: '', sizeBlocks: 1_000 };
const wanted = { ...ref, fork: 'main', filenode: '', sizeBlocks: 1_000, share: 1 } as const;
const workSet: WorkSet = {
  vm: 'app1',
  source: 'db1',
  systemId: '1',
  blockBytes: 8192,
  takenAt: new Date(0).toISOString(),
  blocksKnown: true,
  secondTier: 'unknown',
  relations: [{ ...wanted, ranges: singleRange(0, 1_000, 2) }],
};

/** A target that holds the first blocks of the work set; a stand-in, for only its counts matter. */
function targetWith(pool: Omit<PoolState, 'known' | 'poolBlocks' | 'osCacheBytes'>): RoundContext {
  const matches = [{ wanted: workSet.relations[0]!, verdict: 'blocks', local }] as const;
  const state: PoolState = { known: true, poolBlocks: 2_000, osCacheBytes: null, ...pool };
  return {
    engine: { match: async () => matches, poolState: async () => state } as unknown as Engine,
    device: { model: createCostModel() } as RoundContext['device'],
    budget: new TargetShare({ maxPoolFraction: 0.9, slots: 1 }).join('m', null).budget,
    osCacheFraction: 0,
    goal: 0.95,
    deadlineMs: () => null,
    osDone: new Map(),
  };
}

describe('the budget of a round', () => {
  const key = relationKey(local);

  it('leaves out what looks cold and is the work set’s own', async () => {
    const resident = new Map([
      [
        key,
        rangesOf([
          [0, 300, 1],
          [300, 200, 3],
        ]),
      ],
    ]);
    const context = targetWith({ freeBlocks: 100, blocksByHeat: [0, 700, 0, 1_200, 0, 0], resident });
    const { budget, plan, residency, reachable } = await assess(workSet, context);
    expect(budget.blocks).toBe(100 + 700 - 300);
    expect(plan.plannedBlocks).toBe(500);
    expect([residency, reachable]).toEqual([0.5, 1]);
  });

  it('takes no more of what is held for cold than there is in all, where heats are unknown', async () => {
    const resident = new Map([[key, singleRange(0, 800, 1)]]);
    const pool = { freeBlocks: 100, blocksByHeat: [0, 600, 0, 0, 0, 1_000], resident };
    const { budget, plan } = await assess(workSet, targetWith({ ...pool, heatsUnknown: true }));
    expect(budget.blocks).toBe(200);
    expect(plan.skippedBlocks).toBe(0);
    const { budget: none, residency, reachable } = await assess(workSet, targetWith(pool));
    expect([none.blocks, residency, reachable]).toEqual([0, 0.8, 0.8]);
  });
});
