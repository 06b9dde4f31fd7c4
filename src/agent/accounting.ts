import type { LocalRelation } from '../engines/engine.ts';
import { systemClock } from '../lib/clock.ts';
import type { MigrationRecord } from '../messages/record.ts';
import { type BlockRanges, blockCount, combine, emptyRanges, maxHeat } from '../planning/block-ranges.ts';
import { carryDuring, type HeatCarry } from './heat-carry.ts';
import type { MigrationRun } from './migration-run.ts';
import type { VmCounters } from './profiles.ts';

/** Nothing is carried for so much of the window, and then for a tenth of the time: the VM's own first reads want the same processors. */
const quiet = { mostMs: 2_000, share: 1 / 4 };
const restAfterArrival = 9;

/** Measures what a warming was worth: the VM's own reads after its arrival, and which warmed blocks it used. */
export class Accounting {
  readonly #run: MigrationRun;
  readonly #windowMs: number;
  /** The statistics are dear, and the VM reads nothing here until it comes. */
  readonly #countedAhead: Promise<void>;
  #start: Promise<{ readonly atMs: number; readonly counters: VmCounters }> | null = null;

  /** Takes its first look by itself when the VM arrives. */
  constructor(run: MigrationRun, windowMs: number) {
    this.#run = run;
    this.#windowMs = windowMs;
    this.#countedAhead = this.#count();
    const begin = () => {
      this.#start ??= this.#begin();
    };
    run.arrived.addEventListener('abort', begin, { once: true });
    if (run.arrived.aborted) begin();
  }

  /**
   * Waits until the window after the arrival is over, and tells the figures; those that could not be had are left
   * out. What heat is still to be carried over is carried meanwhile; then the VM's own use has made the order.
   */
  async settle(carry: HeatCarry, stop: AbortSignal): Promise<NonNullable<MigrationRecord['afterArrival']>> {
    const start = await (this.#start ?? this.#begin());
    await until(start.atMs + Math.min(quiet.mostMs, quiet.share * this.#windowMs), stop);
    const window = until(start.atMs + this.#windowMs, stop);
    await carryDuring(window, carry, { run: this.#run, stop, rest: restAfterArrival });
    await this.#count();
    const end = { atMs: systemClock.monotonicMs(), counters: this.#counters };
    const before = carry.heats();
    const after = await this.#heats(carry.locals);
    const { tells } = this.#run.parts.engine;
    const hits = end.counters.blocksHit - start.counters.blocksHit;
    // Shares of statements that several VMs run are fractions.
    const blocksRead = Math.round(end.counters.blocksRead - start.counters.blocksRead);
    const accesses = hits + blocksRead;
    const precision = after === null ? null : precisionOf(before, after);
    return {
      windowMs: Math.round(end.atMs - start.atMs),
      ...(tells.readsOfVms ? { blocksRead } : {}),
      ...(tells.readsOfVms && accesses > 0 ? { hitRatio: Math.max(0, hits / accesses) } : {}),
      ...(precision === null ? {} : { precision }),
    };
  }

  async #count(): Promise<void> {
    const { profiles, engine } = this.#run.parts;
    if (engine.tells.readsOfVms) await profiles.collect();
  }

  async #begin() {
    const atMs = systemClock.monotonicMs();
    await this.#countedAhead;
    return { atMs, counters: this.#counters };
  }

  get #counters(): VmCounters {
    return this.#run.parts.profiles.counters(this.#run.record.vm);
  }

  /** The heat of the relations' blocks here, by `relationKey`; null when it cannot be seen. */
  async #heats(locals: readonly LocalRelation[]): Promise<ReadonlyMap<string, BlockRanges> | null> {
    const { engine } = this.#run.parts;
    if (!engine.tells.heatOfBlocks) return null;
    const pool = await engine.poolState(locals).catch(() => null);
    return pool?.known === true ? pool.resident : null;
  }
}

function until(atMs: number, stop: AbortSignal): Promise<void> {
  return systemClock.sleep(atMs - systemClock.monotonicMs(), stop);
}

/**
 * The part of the warmed blocks that were used in between: their heat rose. A block that stood at the
 * greatest heat already cannot rise, and is left out of both sides; null when none is left.
 */
function precisionOf(
  before: ReadonlyMap<string, BlockRanges>,
  after: ReadonlyMap<string, BlockRanges>,
): number | null {
  let used = 0;
  let known = 0;
  for (const [key, then] of before) {
    const now = after.get(key) ?? emptyRanges;
    const count = (pick: (heat: number, nowHeat: number) => boolean) =>
      blockCount(combine(then, now, (heat, nowHeat) => (pick(heat, nowHeat) ? 1 : -1)));
    known += count((heat) => heat >= 1 && heat < maxHeat);
    used += count((heat, nowHeat) => heat >= 1 && heat < maxHeat && nowHeat > heat);
  }
  return known === 0 ? null : used / known;
}
