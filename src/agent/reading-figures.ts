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
  /** Blocks of the round by tier: read, or there before, and those that shall be there at its end. */
  #pool = { done: 0, total: 0 };
  #os = { done: 0, total: 0 };
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
    const blocksDone = this.#pool.done + this.#os.done;
    const blocksTotal = this.#pool.total + this.#os.total;
    const bytes = (blocks: number) => blocks * this.#blockBytes;
    return { blocksDone, blocksTotal, bytesDone: bytes(blocksDone), bytesTotal: bytes(blocksTotal) };
  }

  /** The pool's part of the progress, in blocks. */
  get ofPool(): { readonly done: number; readonly total: number } {
    return this.#pool;
  }

  startRound({ plan, segments }: Situation, blockBytes: number): void {
    this.#blockBytes = blockBytes;
    const { residentBlocks } = plan;
    const toRead = (tier: 'pool' | 'os') =>
      segments.reduce((sum, segment) => sum + (segment.tier === tier ? segment.blocks : 0), 0);
    this.#pool = { done: residentBlocks, total: residentBlocks + toRead('pool') };
    this.#os = { done: 0, total: toRead('os') };
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
    (step.tier === 'pool' ? this.#pool : this.#os).done += blocks;
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
