import { belongsTo, type PoolMap } from '../../lab/experiment/pool-map.ts';
import { tableOf } from '../../lab/experiment/site.ts';

interface Block {
  readonly relation: string;
  readonly block: number;
}

/** A resident's blocks that were used again and again. */
export function hotBlocks(
  map: PoolMap,
  { vm, hotHeat }: { readonly vm: string; readonly hotHeat: number },
): readonly Block[] {
  return map
    .filter(({ name }) => belongsTo(name, tableOf(vm)))
    .flatMap(({ name: relation, heats }) =>
      [...heats].flatMap(([block, heat]) => (heat >= hotHeat ? [{ relation, block }] : [])),
    );
}

export function countHeld(map: PoolMap, blocks: readonly Block[]): number {
  const heats = new Map(map.map((relation) => [relation.name, relation.heats]));
  return blocks.filter(({ relation, block }) => heats.get(relation)?.has(block)).length;
}
