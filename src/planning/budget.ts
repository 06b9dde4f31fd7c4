/** The pool as counted, in blocks. */
export interface PoolCounts {
  /** False: no view of the pool, the other counts but `poolBlocks` mean nothing. */
  readonly known: boolean;
  readonly poolBlocks: number;
  readonly freeBlocks: number;
  /** Used buffers of the whole pool by usage count 0..5. */
  readonly blocksByHeat: readonly number[];
  /** How long the server runs, in ms; left out where that is not known. */
  readonly upMs?: number | undefined;
}

export interface PoolBudgetOptions {
  /** Other migrations' blocks of this pool: planned and not yet read, and read but at heat 0 or 1 still. */
  readonly reservedBlocks: number;
  /** Blocks of this migration's work set that are in the pool already at heat 0 or 1. */
  readonly ownColdBlocks: number;
  /** The most of the whole pool that all migrations together may take, 0 to 1. */
  readonly maxFraction: number;
  /** The part of the pool to use where the pool cannot be seen, 0 to 1. */
  readonly unknownFraction: number;
}

export const defaultPoolBudgetOptions: PoolBudgetOptions = {
  reservedBlocks: 0,
  ownColdBlocks: 0,
  maxFraction: 0.9,
  unknownFraction: 0.25,
};

export interface Budget {
  readonly blocks: number;
  /** For the record: where the number comes from. */
  readonly reason: string;
}

/** Buffers up to this heat are cold: see `poolBudget`. */
export const coldHeat = 1;

/**
 * How many blocks may still be read into the pool: free buffers and cold ones, less what is spoken for.
 *
 * Cold is usage count 0 and 1. The clock sweep takes a buffer at 0 and lowers the others by one, so
 * the buffers at 1 fall within one turn of the hand: they were used once since it last came by, and a
 * turn costs a hot buffer one count of up to five, which its next use gives back. Those at 2 and more
 * were used again and would fall only in a second turn, which would take from residents what they
 * use: they are never counted. What a migration has just read stands at 1 as well and looks cold,
 * hence the reservations.
 */
export function poolBudget(pool: PoolCounts, options: Partial<PoolBudgetOptions> = {}): Budget {
  const { reservedBlocks, ownColdBlocks, maxFraction, unknownFraction } = {
    ...defaultPoolBudgetOptions,
    ...options,
  };
  if (!pool.known) {
    const part = Math.floor(pool.poolBlocks * Math.min(unknownFraction, maxFraction));
    const blocks = Math.max(0, part - reservedBlocks);
    const reason = `the pool cannot be seen: ${percent(unknownFraction)} of its ${pool.poolBlocks} blocks${less(reservedBlocks)}`;
    return { blocks, reason };
  }
  let cold = 0;
  for (let heat = 0; heat <= coldHeat; heat++) cold += pool.blocksByHeat[heat] ?? 0;
  const usable = pool.freeBlocks + Math.max(0, cold - ownColdBlocks) - reservedBlocks;
  const most = Math.floor(pool.poolBlocks * maxFraction) - reservedBlocks;
  const blocks = Math.max(0, Math.min(usable, most));
  const own = ownColdBlocks > 0 ? ` (${ownColdBlocks} of them this work set's own)` : '';
  const found = `${pool.freeBlocks} free and ${cold} cold${own} of ${pool.poolBlocks} blocks${less(reservedBlocks)}`;
  const capped = most < usable ? `, at most ${percent(maxFraction)} of the pool` : '';
  return { blocks, reason: found + capped };
}

export interface OsBudgetOptions {
  readonly blockBytes: number;
  /** Bytes that other migrations plan for the OS cache and have not yet read. */
  readonly reservedBytes: number;
  /** The part of the available memory to use, 0 to 1: the residents' files are cached there too. */
  readonly fraction: number;
}

/** How many blocks may be read into the OS page cache; `availableBytes` null is unknown, and gives none. */
export function osCacheBudget(
  availableBytes: number | null,
  options: Partial<OsBudgetOptions> & Pick<OsBudgetOptions, 'blockBytes'>,
): Budget {
  const { blockBytes, reservedBytes = 0, fraction = 0.5 } = options;
  if (availableBytes === null) return { blocks: 0, reason: "the host's memory is unknown" };
  const bytes = Math.max(0, availableBytes * fraction - reservedBytes);
  const mib = Math.round(availableBytes / 2 ** 20);
  const reserved = reservedBytes > 0 ? `, less ${Math.round(reservedBytes / 2 ** 20)} MiB reserved` : '';
  return {
    blocks: Math.floor(bytes / blockBytes),
    reason: `${percent(fraction)} of ${mib} MiB available${reserved}`,
  };
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

function less(reservedBlocks: number): string {
  return reservedBlocks > 0 ? `, less ${reservedBlocks} of other migrations` : '';
}
