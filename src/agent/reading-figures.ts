import { systemClock } from '../lib/clock.ts';
import type { Progress } from '../messages/event.ts';
import type { MigrationRecord } from '../messages/record.ts';
import type { StepReport } from './read-plan.ts';
import type { Situation } from './warming-round.ts';

type Warmed = NonNullable<MigrationRecord['warmed']>;

const progressEveryMs = 250;

/** Adds up what a migration read, over all its rounds and over a restart of the agent. */
export class ReadingFigures {
  #warmed: Warmed;
  /** Monotonic begin of the round that is under way. */
  #roundMs: number | undefined;
  #reportedMs = 0;
  #done = 0;
  #total = 0;
  #ofPool = { done: 0, total: 0 };
  #blockBytes = 8192;

  constructor(earlier: Warmed | undefined) {
    this.#warmed = earlier ?? { blocks: 0, bytesRead: 0, ms: 0, rounds: 0 };
  }

  /** With the round that is under way. */
  get warmed(): Warmed {
    return { ...this.#warmed, ms: this.#warmed.ms + this.#roundTookMs };
  }

  get #roundTookMs(): number {
    return this.#roundMs === undefined ? 0 : Math.round(systemClock.monotonicMs() - this.#roundMs);
  }

  get progress(): Progress {
    return {
      blocksDone: this.#done,
      blocksTotal: this.#total,
      bytesDone: this.#done * this.#blockBytes,
      bytesTotal: this.#total * this.#blockBytes,
    };
  }

  /** Blocks of the round that are read into the pool, or were there, and those that shall be there at its end. */
  get ofPool(): { readonly done: number; readonly total: number } {
    return this.#ofPool;
  }

  startRound({ plan, segments }: Situation, blockBytes: number): void {
    this.#blockBytes = blockBytes;
    this.#done = plan.residentBlocks;
    const sum = (of: Situation['segments']) => of.reduce((total, { blocks }) => total + blocks, 0);
    this.#total = plan.residentBlocks + sum(segments);
    const toPool = sum(segments.filter(({ tier }) => tier === 'pool'));
    this.#ofPool = { done: plan.residentBlocks, total: plan.residentBlocks + toPool };
    this.#warmed = { ...this.#warmed, rounds: this.#warmed.rounds + 1 };
    this.#roundMs = systemClock.monotonicMs();
    this.#reportedMs = this.#roundMs;
  }

  /** Returns how long the round took, in ms. */
  endRound(): number {
    const ms = this.#roundTookMs;
    this.#warmed = this.warmed;
    this.#roundMs = undefined;
    return ms;
  }

  /** True when it is time to tell the progress. */
  step({ step, blocks, throttledMs }: StepReport): boolean {
    this.#done += blocks;
    if (step.tier === 'pool') this.#ofPool = { ...this.#ofPool, done: this.#ofPool.done + blocks };
    const { blocks: before, bytesRead, throttledMs: held = {} } = this.#warmed;
    const reasons = Object.entries(throttledMs).map(([reason, ms]) => [reason, (held[reason] ?? 0) + ms]);
    this.#warmed = {
      ...this.#warmed,
      blocks: before + blocks,
      bytesRead: bytesRead + (blocks > 0 ? step.bytes : 0),
      ...(reasons.length > 0 ? { throttledMs: { ...held, ...Object.fromEntries(reasons) } } : {}),
    };
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.#reportedMs < progressEveryMs) return false;
    this.#reportedMs = nowMs;
    return true;
  }
}
