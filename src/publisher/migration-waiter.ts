import type { MigrationEvent, Progress } from '../messages/event.ts';
import type { MigrationRecord } from '../messages/record.ts';
import type { MigrationState } from '../messages/states.ts';
import { isEnd } from '../migration/transitions.ts';

/** What a publisher that waits for a migration should do. */
export type WaitVerdict =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'ready' }
  /** Somebody said that the VM is there already. */
  | { readonly kind: 'arrived' }
  /** Not ready in time: go on all the same. */
  | { readonly kind: 'deadline' }
  /** Nothing will come any more. */
  | {
      readonly kind: 'ended';
      readonly state: MigrationState;
      readonly code: string | undefined;
      readonly reason: string | undefined;
    };

export interface WaitProgress {
  readonly state: MigrationState | undefined;
  readonly blocksDone: number;
  readonly blocksTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly residency: number | undefined;
}

const order: Partial<Record<MigrationState, number>> = {
  accepted: 1,
  profiling: 2,
  warming: 3,
  ready: 4,
  arrived: 5,
};

/** Decides from records and events, in whichever order they come, when a publisher's wait is over. */
export class MigrationWaiter {
  readonly #deadlineMs: number;
  #state: MigrationState | undefined;
  #record: MigrationRecord | undefined;
  #progress: Progress | undefined;
  /** What was told last: a further round begins with what it finds, and that may be less. */
  #told = { blocks: 0, bytes: 0 };
  #code: string | undefined;
  #reason: string | undefined;

  /** `deadlineMs` on the same clock as the `nowMs` of `verdict`. */
  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  /** The newest record that was seen. */
  get record(): MigrationRecord | undefined {
    return this.#record;
  }

  seeRecord(record: MigrationRecord): void {
    this.#record = record;
    this.#reason = record.error?.message ?? record.reason ?? this.#reason;
    this.#code = record.error?.code ?? this.#code;
    this.#advance(record.state);
  }

  seeEvent(event: MigrationEvent): void {
    if (event.progress !== undefined) this.#progress = event.progress;
    if (isEnd(event.state)) {
      this.#reason = event.reason ?? this.#reason;
      this.#code = event.code ?? this.#code;
    }
    this.#advance(event.state);
  }

  verdict(nowMs: number): WaitVerdict {
    const state = this.#state;
    if (state === 'ready') return { kind: 'ready' };
    if (state === 'arrived' || state === 'completed') return { kind: 'arrived' };
    if (state !== undefined && isEnd(state)) {
      return { kind: 'ended', state, code: this.#code, reason: this.#reason };
    }
    return nowMs >= this.#deadlineMs ? { kind: 'deadline' } : { kind: 'waiting' };
  }

  /** Never less done than was told before. */
  progress(): WaitProgress {
    const record = this.#record;
    const plan = record?.plan;
    const blocksTotal = Math.max(this.#told.blocks, this.#progress?.blocksTotal || plan?.blocks || 0);
    const bytesTotal = Math.max(this.#told.bytes, this.#progress?.bytesTotal || plan?.bytes || 0);
    // Delta rounds read more than the plan had; a bar ends at its total.
    const blocks = Math.max(this.#told.blocks, this.#progress?.blocksDone ?? 0, record?.warmed?.blocks ?? 0);
    const bytes = Math.max(
      this.#told.bytes,
      this.#progress?.bytesDone ?? 0,
      blocksTotal === 0 ? 0 : (bytesTotal / blocksTotal) * blocks,
    );
    this.#told = { blocks: Math.min(blocks, blocksTotal), bytes: Math.min(Math.round(bytes), bytesTotal) };
    return {
      state: this.#state,
      blocksTotal,
      bytesTotal,
      blocksDone: this.#told.blocks,
      bytesDone: this.#told.bytes,
      residency: record?.residency,
    };
  }

  /** A record and an event of one step may come in either order, so the state never goes back. */
  #advance(state: MigrationState): void {
    const current = this.#state;
    if (current !== undefined && isEnd(current)) return;
    if (isEnd(state) || (order[state] ?? 0) > (order[current ?? state] ?? 0) || current === undefined) {
      this.#state = state;
    }
  }
}
