/** How a product ranks the blocks of its pool, for the report. */
export interface HeatScale {
  /** From the coldest on; heat 1 is the first. */
  readonly names: readonly string[];
  /** The ranks in a sentence: "of the source's blocks of ... the target holds". */
  readonly ranks: string;
  /** What the ranks are and what Forewarm does with them: sentences. */
  readonly explained: string;
}

/** Buffers of one relation in one server's pool. */
export interface RelationMap {
  readonly name: string;
  readonly kind: 'table' | 'index';
  readonly sizeBlocks: number;
  readonly residentBlocks: number;
  /** Resident blocks by heat, from 0. */
  readonly blocksByHeat: readonly number[];
  /** The relation cut into equal parts in block order: the mean heat of each; 0 is "not there". */
  readonly strip: readonly number[];
  /** Heat of each resident block. */
  readonly heats: ReadonlyMap<number, number>;
  /** When each was first used after it was read, by a clock of the server's own; where that is known. */
  readonly usedSince?: ReadonlyMap<number, number>;
}

/** What a server's buffer pool holds of some tables and their indexes, by relation. */
export type PoolMap = readonly RelationMap[];

const stripParts = 240;

/** Draws one relation from its resident blocks and their heats, two lists of equal length. */
export function relationMap(
  relation: Pick<RelationMap, 'name' | 'kind' | 'sizeBlocks'>,
  resident: {
    readonly blocks: readonly number[];
    readonly heats: readonly number[];
    readonly maxHeat: number;
  },
): RelationMap {
  const { blocks, heats, maxHeat } = resident;
  const sums = new Array<number>(stripParts).fill(0);
  const blocksByHeat = new Array<number>(maxHeat + 1).fill(0);
  blocks.forEach((block, i) => {
    const heat = heats[i] ?? 0;
    blocksByHeat[heat] = (blocksByHeat[heat] ?? 0) + 1;
    const part = Math.min(stripParts - 1, Math.floor((block * stripParts) / relation.sizeBlocks));
    // A block that nobody used lately is there all the same.
    sums[part] = (sums[part] ?? 0) + Math.max(0.5, heat);
  });
  const partBlocks = Math.max(1, relation.sizeBlocks / stripParts);
  const strip = sums.map((sum) => Math.round((100 * sum) / partBlocks) / 100);
  const known = new Map(blocks.map((block, i) => [block, heats[i] ?? 0]));
  return { ...relation, residentBlocks: blocks.length, blocksByHeat, strip, heats: known };
}

/** The part of the source's blocks of each heat from 1 on that the target holds; null where the source has none. */
export function heldByHeat(source: RelationMap, target: RelationMap): (number | null)[] {
  const all = new Array<number>(source.blocksByHeat.length).fill(0);
  const held = [...all];
  for (const [block, heat] of source.heats) {
    all[heat] = (all[heat] ?? 0) + 1;
    if (target.heats.has(block)) held[heat] = (held[heat] ?? 0) + 1;
  }
  return all.map((count, heat) => (count ? (held[heat] ?? 0) / count : null)).slice(1);
}

/** Resident blocks of a table and its indexes. */
export function residentBlocksOf(map: PoolMap, table: string): number {
  return map
    .filter(({ name }) => belongsTo(name, table))
    .reduce((sum, relation) => sum + relation.residentBlocks, 0);
}

/** The lab's tables have a primary key of the default name, or none apart from their rows, and no other index. */
export function belongsTo(relation: string, table: string): boolean {
  return relation === table || relation === `${table}_pkey`;
}
