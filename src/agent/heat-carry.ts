import type { Engine, LocalRelation } from '../engines/engine.ts';
import { systemClock } from '../lib/clock.ts';
import { type BlockRanges, combine, emptyRanges, maxHeat, union } from '../planning/block-ranges.ts';
import { type HeatTouch, heatPasses } from '../planning/heat-passes.ts';
import { atLeast, withHeat } from '../planning/range-cuts.ts';
import { relationKey } from '../planning/work-set.ts';
import type { MigrationRun } from './migration-run.ts';
import type { Situation } from './warming-round.ts';

/** What a round leaves in the pool. */
export type RoundEnd = Pick<Situation, 'matches' | 'pool' | 'segments'>;

interface Touch extends HeatTouch {
  readonly key: string;
  readonly local: LocalRelation;
}

/**
 * Gives the blocks that the target holds after a round the source's order of heat, a statement at a time, so
 * that it can be left off and gone on with. Reads nothing from the disk.
 */
export class HeatCarry {
  readonly #end: RoundEnd;
  readonly #engine: Pick<Engine, 'raiseHeat'>;
  readonly #touches: Iterator<Touch, void>;
  /** The pass that each relation has come to, by `relationKey`. */
  readonly #passes = new Map<string, number>();
  #done = false;

  constructor(end: RoundEnd, engine: Pick<Engine, 'raiseHeat'>) {
    this.#end = end;
    this.#engine = engine;
    this.#touches = touches(end);
  }

  /**
   * Goes on until all is done or `until` aborts, which lets a statement come to its end, or `stop`, which does
   * not. After each statement it rests for `rest` times as long as that took.
   */
  async goOn(until: AbortSignal, { stop, rest }: { stop: AbortSignal; rest: number }): Promise<void> {
    while (!this.#done && !until.aborted && !stop.aborted) {
      const { done, value: touch } = this.#touches.next();
      if (done) {
        this.#done = true;
        return;
      }
      this.#passes.set(touch.key, touch.heat);
      const startedMs = systemClock.monotonicMs();
      await this.#engine.raiseHeat(touch.local, touch.spans, stop);
      const tookMs = systemClock.monotonicMs() - startedMs;
      if (rest > 0) await systemClock.sleep(rest * tookMs, AbortSignal.any([until, stop]));
    }
  }

  /** The work set's relations that are here. */
  get locals(): LocalRelation[] {
    return this.#end.matches.flatMap(({ local }) => (local === undefined ? [] : [local]));
  }

  /** The heat of the work set's blocks as far as it was carried, by `relationKey`. */
  heats(): ReadonlyMap<string, BlockRanges> {
    const heats = new Map<string, BlockRanges>();
    for (const { wanted, verdict, local } of this.#end.matches) {
      if (local === undefined) continue;
      const key = relationKey(local);
      const held = heldAfter(this.#end, key);
      const most = this.#done ? maxHeat : (this.#passes.get(key) ?? 1);
      const carried = (want: number, heat: number) =>
        want < 0 || heat < 1 ? -1 : Math.max(heat, Math.min(want, most));
      heats.set(key, verdict === 'blocks' ? combine(wanted.ranges, held, carried) : held);
    }
    return heats;
  }
}

function* touches(end: RoundEnd): Generator<Touch, void> {
  for (const { wanted, verdict, local } of end.matches) {
    if (verdict !== 'blocks' || local === undefined) continue;
    const key = relationKey(local);
    for (const touch of heatPasses(wanted.ranges, heldAfter(end, key))) yield { ...touch, key, local };
  }
}

/** What the target holds of one relation once the round's reading is done: what it held, and at heat 1 what was read. */
function heldAfter({ pool, segments }: RoundEnd, key: string): BlockRanges {
  const before = atLeast(pool.resident.get(key) ?? emptyRanges, 1);
  return segments
    .filter((segment) => segment.key === key && segment.tier === 'pool')
    .reduce((sum, segment) => union(sum, withHeat(segment.ranges, 1)), before);
}

/** Goes on for as long as the pause lasts, and resolves when it is over. What fails is told and left off: the blocks are there. */
export async function carryDuring(
  pause: Promise<void>,
  carry: HeatCarry,
  by: { readonly run: MigrationRun; readonly stop: AbortSignal; readonly rest: number },
): Promise<void> {
  const { run, stop, rest } = by;
  const over = new AbortController();
  const paused = pause.then(() => over.abort());
  const endWarming = run.parts.watch.warming();
  try {
    await carry.goOn(over.signal, { stop, rest });
  } catch (error) {
    if (!stop.aborted) run.logger.warn({ error: (error as Error).message }, 'the heat is not carried over');
  } finally {
    endWarming();
  }
  await paused;
}
