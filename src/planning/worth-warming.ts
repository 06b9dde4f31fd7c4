/** What a VM touches of one relation, and what of it is cached. */
export interface Touched {
  /** Part of the VM's accesses, 0 to 1. */
  readonly share: number;
  /** Cached, or of which it consists where that is not known. */
  readonly blocks: number;
}

/** From this share on a relation is warmed, however large it is. */
export const plainShare = 0.001;

/**
 * The relations that are worth their blocks. A large one that is hardly touched is mostly others', and would be the
 * greatest part of the work set; a small one costs nothing, and may be a part of every transaction.
 *
 * `leastDensity`: accesses a block, as a part of the mean over all relations, from which on a small share is enough.
 */
export function worthWarming<T extends Touched>(relations: readonly T[], leastDensity: number): T[] {
  const all = relations.reduce((sum, { blocks }) => sum + blocks, 0);
  return relations.filter(({ share, blocks }) => share >= plainShare || share * all >= leastDensity * blocks);
}
