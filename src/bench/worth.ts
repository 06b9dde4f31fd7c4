import type { LoadSample } from '../lab/app-messages.ts';
import type { PoolMap } from '../lab/experiment/pool-map.ts';

/** What a warming was worth to the load that came after it. Shares are undefined where nothing is to be shared. */
export interface Worth {
  /** In the target's pool when the warming ended, and not before. */
  readonly warmedBlocks: number;
  /** Of the warmed ones, the share that the load touched. */
  readonly precision: number | undefined;
  readonly touchedBlocks: number;
  /** Of the touched ones, the share that was in the pool when the warming ended. */
  readonly recall: number | undefined;
}

/** Block numbers by relation. */
export type Blocks = ReadonlyMap<string, ReadonlySet<number>>;

export function worthOf(seen: {
  readonly before: PoolMap;
  readonly after: PoolMap;
  /** By the load, in the window after the switch. */
  readonly touched: Blocks;
}): Worth {
  const { before, after, touched } = seen;
  const had = blocksOf(before);
  const has = blocksOf(after);
  let [warmedBlocks, useful, touchedBlocks, found] = [0, 0, 0, 0];
  for (const [name, blocks] of has) {
    for (const block of blocks) {
      if (had.get(name)?.has(block)) continue;
      warmedBlocks += 1;
      if (touched.get(name)?.has(block)) useful += 1;
    }
  }
  for (const [name, blocks] of touched) {
    touchedBlocks += blocks.size;
    for (const block of blocks) if (has.get(name)?.has(block)) found += 1;
  }
  return {
    ...{ warmedBlocks, touchedBlocks },
    precision: warmedBlocks === 0 ? undefined : useful / warmedBlocks,
    recall: touchedBlocks === 0 ? undefined : found / touchedBlocks,
  };
}

function blocksOf(map: PoolMap): Blocks {
  return new Map(map.map(({ name, heats }) => [name, new Set(heats.keys())]));
}

/** Over which a throughput must hold to count as reached, in ms. */
const heldMs = 1_000;

/**
 * Milliseconds from the switch until the throughput, over a second from then on, is `share` of `controlTps`;
 * undefined where the samples end before.
 */
export function timeToShareMs(
  samples: readonly LoadSample[],
  by: { readonly controlTps: number; readonly share: number },
): number | undefined {
  const after = samples.filter(({ atMs, durationMs }) => atMs + durationMs / 2 >= 0);
  const end = after.at(-1);
  for (const { atMs } of after) {
    if (end === undefined || end.atMs + end.durationMs < atMs + heldMs) return undefined;
    const inside = after.filter((sample) => sample.atMs >= atMs && sample.atMs < atMs + heldMs);
    const ms = sumOf(inside.map(({ durationMs }) => durationMs));
    const tps = (sumOf(inside.map(({ transactions }) => transactions)) * 1_000) / ms;
    if (tps >= by.share * by.controlTps) return Math.max(0, Math.round(atMs));
  }
  return undefined;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
