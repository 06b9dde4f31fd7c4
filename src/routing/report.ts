import type { EventEmitter } from 'node:events';
import type { Phase } from './phases.ts';

/** Where a pool's connections go; a plain object, new after each change. */
export interface PoolRoute {
  readonly vm: string;
  /** Where new checkouts go now. */
  readonly replica: string;
  /** Where the VM's route points to; another one than `replica` until a switch succeeds. */
  readonly wanted: string;
  /** Of the newest route that was seen; 0 while there was none. */
  readonly epoch: number;
  /** Of the newest switch; null before the first. */
  readonly phase: Phase | null;
}

/** The event `switch`: a switch entered a phase. */
export interface SwitchEvent {
  readonly phase: Phase;
  readonly from: string;
  readonly to: string;
  readonly epoch: number;
  /** True where the pool leaves a failing replica by itself, not because its route changed. */
  readonly fallback: boolean;
  /** Milliseconds since the switch began. */
  readonly sinceStartMs: number;
  /** Connections that are open and warm at the new replica, from `in progress` on. */
  readonly prepared: number;
  /** Connections of the old replica that were cut off at the limit. */
  readonly cut: number;
  /** Why, for the phases `failed`, `superseded` and `fell back`. */
  readonly reason?: string;
}

/**
 * The event `notice`: something that an operator may want to know.
 * `behind`: the new replica is used although it may not show all that was seen on the old one.
 * `retry`: a switch is tried again, after as long as the message says.
 */
export interface Notice {
  readonly kind:
    | 'started'
    | 'nats lost'
    | 'nats back'
    | 'epoch ignored'
    | 'replica unknown'
    | 'replica failing'
    | 'behind'
    | 'retry'
    | 'cut off';
  readonly message: string;
  readonly error?: unknown;
}

/** How often each has been, since the pool was made. */
export interface PoolCounters {
  readonly preparation: number;
  readonly inProgress: number;
  readonly post: number;
  readonly completed: number;
  readonly failed: number;
  readonly superseded: number;
  readonly fellBack: number;
  /** How often the new replica was used though it may not have shown all that was seen on the old one. */
  readonly behind: number;
  readonly retries: number;
  readonly epochsIgnored: number;
  readonly natsLost: number;
  readonly connectionsPrepared: number;
  readonly connectionsCut: number;
  /** Connections of old replicas that were in use at a swap, and released before the limit. */
  readonly connectionsDrained: number;
  /** How often new checkouts were held back, and how long in all, in milliseconds. */
  readonly holds: number;
  readonly heldMs: number;
  /** Longest time that new checkouts were held back at once, in milliseconds. */
  readonly longestHoldMs: number;
}

/** The counter of each phase. */
export const phaseCounters = {
  preparation: 'preparation',
  'in progress': 'inProgress',
  post: 'post',
  completed: 'completed',
  failed: 'failed',
  superseded: 'superseded',
  'fell back': 'fellBack',
} as const satisfies Readonly<Record<Phase, keyof PoolCounters>>;

/** Counts, and tells the application; what its listeners throw never disturbs a switch. */
export class Report {
  readonly #emitter: EventEmitter;
  readonly #counters: { -readonly [name in keyof PoolCounters]: number } = {
    preparation: 0,
    inProgress: 0,
    post: 0,
    completed: 0,
    failed: 0,
    superseded: 0,
    fellBack: 0,
    behind: 0,
    retries: 0,
    epochsIgnored: 0,
    natsLost: 0,
    connectionsPrepared: 0,
    connectionsCut: 0,
    connectionsDrained: 0,
    holds: 0,
    heldMs: 0,
    longestHoldMs: 0,
  };

  constructor(emitter: EventEmitter) {
    this.#emitter = emitter;
  }

  get counters(): PoolCounters {
    return { ...this.#counters };
  }

  count(name: keyof PoolCounters, by = 1): void {
    this.#counters[name] += by;
  }

  held(ms: number): void {
    this.#counters.holds += 1;
    this.#counters.heldMs += ms;
    this.#counters.longestHoldMs = Math.max(this.#counters.longestHoldMs, ms);
  }

  phase(event: SwitchEvent): void {
    this.#counters[phaseCounters[event.phase]] += 1;
    this.#emit('switch', event);
  }

  notice(kind: Notice['kind'], message: string, error?: unknown): void {
    this.#emit('notice', { kind, message, ...(error === undefined ? {} : { error }) } satisfies Notice);
  }

  #emit(name: 'switch' | 'notice', event: SwitchEvent | Notice): void {
    try {
      this.#emitter.emit(name, event);
    } catch (error) {
      // As if nobody had been between the emitter and its listener.
      process.nextTick(() => {
        throw error;
      });
    }
  }
}
