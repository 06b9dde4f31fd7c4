import type { Engine, LocalRelation } from '../../src/engines/engine.ts';
import { blockCount } from '../../src/planning/block-ranges.ts';
import { relationKey } from '../../src/planning/work-set.ts';

/** Part of a relation that the pool holds, 0 to 1. */
export async function residencyOf(engine: Engine, relation: LocalRelation): Promise<number> {
  const { resident } = await engine.poolState([relation]);
  return blockCount(resident.get(relationKey(relation))!) / relation.sizeBlocks;
}

/** Whole, in steps of 40 blocks on two connections, as an agent would. */
export async function warmWhole(engine: Engine, relation: LocalRelation): Promise<void> {
  const starts: number[] = [];
  for (let start = 0; start < relation.sizeBlocks; start += 40) starts.push(start);
  const work = async () => {
    for (let start = starts.shift(); start !== undefined; start = starts.shift()) {
      const wanted = [start, Math.min(start + 40, relation.sizeBlocks)];
      await engine.warm({ relation, tier: 'pool', readThrough: [], wanted });
    }
  };
  await Promise.all([work(), work()]);
}
