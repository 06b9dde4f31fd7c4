import { systemClock } from '../lib/clock.ts';
import type { MigrationRecord } from '../messages/record.ts';
import { type BlockRanges, blockCount, combine, emptyRanges, maxHeat } from '../planning/block-ranges.ts';
import { relationKey } from '../planning/work-set.ts';
import type { MigrationRun } from './migration-run.ts';
import type { VmCounters } from './profiles.ts';
import type { Situation } from './warming-round.ts';

/** Measures what a warming was worth: the VM's own reads after its arrival, and which warmed blocks it used. */
export class Accounting {
  readonly #run: MigrationRun;
  readonly #windowMs: number;
  #start: Promise<{ readonly atMs: number; readonly counters: VmCounters }> | null = null;

  /** Takes its first look by itself when the VM arrives. */
  constructor(run: MigrationRun, windowMs: number) {
    this.#run = run;
    this.#windowMs = windowMs;
    const begin = () => {
      this.#start ??= this.#look();
    };
    run.arrived.addEventListener('abort', begin, { once: true });
    if (run.arrived.aborted) begin();
  }

  /** Waits until the window after the arrival is over, and tells the figures; those that could not be had are left out. */
  async settle(
    situation: Situation,
    stop: AbortSignal,
  ): Promise<NonNullable<MigrationRecord['afterArrival']>> {
    const start = await (this.#start ?? this.#look());
    const before = await this.#heats(situation);
    await systemClock.sleep(start.atMs + this.#windowMs - systemClock.monotonicMs(), stop);
    const end = await this.#look();
    const after = await this.#heats(situation);
    const { tells } = this.#run.parts.engine;
    const hits = end.counters.blocksHit - start.counters.blocksHit;
    // Shares of statements that several VMs run are fractions.
    const blocksRead = Math.round(end.counters.blocksRead - start.counters.blocksRead);
    const accesses = hits + blocksRead;
    const precision = before === null || after === null ? null : precisionOf(before, after);
    return {
      windowMs: Math.round(end.atMs - start.atMs),
      ...(tells.readsOfVms ? { blocksRead } : {}),
      ...(tells.readsOfVms && accesses > 0 ? { hitRatio: Math.max(0, hits / accesses) } : {}),
      ...(precision === null ? {} : { precision }),
    };
  }

  async #look() {
    const { profiles } = this.#run.parts;
    await profiles.collect();
    return { atMs: systemClock.monotonicMs(), counters: profiles.counters(this.#run.record.vm) };
  }

  /** The heat of the work set's blocks here, relation by relation; null when it cannot be seen. */
  async #heats({ matches }: Situation): Promise<BlockRanges[] | null> {
    if (!this.#run.parts.engine.tells.heatOfBlocks) return null;
    const locals = matches.flatMap(({ local }) => (local === undefined ? [] : [local]));
    const pool = await this.#run.parts.engine.poolState(locals).catch(() => null);
    if (pool === null || !pool.known) return null;
    return matches.flatMap(({ wanted, local, verdict }) => {
      if (local === undefined) return [];
      const here = pool.resident.get(relationKey(local)) ?? emptyRanges;
      const ours =
        verdict === 'blocks' ? combine(wanted.ranges, here, (want, heat) => (want < 0 ? -1 : heat)) : here;
      return [ours];
    });
  }
}

/**
 * The part of the warmed blocks that were used in between: their heat rose. A block that stood at the
 * greatest heat already cannot rise, and is left out of both sides; null when none is left.
 */
function precisionOf(before: readonly BlockRanges[], after: readonly BlockRanges[]): number | null {
  let used = 0;
  let known = 0;
  before.forEach((then, i) => {
    const count = (pick: (heat: number, now: number) => boolean) =>
      blockCount(combine(then, after[i] ?? emptyRanges, (heat, now) => (pick(heat, now) ? 1 : -1)));
    known += count((heat) => heat >= 1 && heat < maxHeat);
    used += count((heat, now) => heat >= 1 && heat < maxHeat && now > heat);
  });
  return known === 0 ? null : used / known;
}
