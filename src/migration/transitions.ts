import type { MigrationState } from '../messages/states.ts';

/** What may happen to a migration. */
export const triggers = [
  'profile',
  'warm',
  'ready',
  'arrive',
  'complete',
  'abort',
  'expire',
  'fail',
  'reject',
] as const;
export type Trigger = (typeof triggers)[number];

/** A state to go to, or why the trigger changes nothing: `same` (already so), `late` (too late to matter). */
export type Cell = MigrationState | 'same' | 'late';

/**
 * States × triggers, with no empty cell: a missing one is a type error.
 * An arrival is legal from every state before it. After it the VM is there and an abort comes too late;
 * a deadline never moves a migration, for it binds the publisher's wait and not the warming.
 */
export const transitions: Readonly<Record<MigrationState, Readonly<Record<Trigger, Cell>>>> = {
  accepted: {
    profile: 'profiling',
    warm: 'warming',
    ready: 'ready',
    arrive: 'arrived',
    complete: 'completed',
    abort: 'aborted',
    expire: 'expired',
    fail: 'failed',
    reject: 'rejected',
  },
  profiling: {
    profile: 'same',
    warm: 'warming',
    ready: 'ready',
    arrive: 'arrived',
    complete: 'completed',
    abort: 'aborted',
    expire: 'expired',
    fail: 'failed',
    reject: 'rejected',
  },
  warming: {
    profile: 'same',
    warm: 'same',
    ready: 'ready',
    arrive: 'arrived',
    complete: 'completed',
    abort: 'aborted',
    expire: 'expired',
    fail: 'failed',
    reject: 'late',
  },
  ready: {
    profile: 'late',
    warm: 'late',
    ready: 'same',
    arrive: 'arrived',
    complete: 'completed',
    abort: 'aborted',
    expire: 'expired',
    fail: 'failed',
    reject: 'late',
  },
  arrived: {
    profile: 'late',
    warm: 'late',
    ready: 'late',
    arrive: 'same',
    complete: 'completed',
    abort: 'late',
    expire: 'late',
    fail: 'failed',
    reject: 'late',
  },
  completed: ended(),
  aborted: ended(),
  expired: ended(),
  failed: ended(),
  rejected: ended(),
};

function ended(): Record<Trigger, Cell> {
  return Object.fromEntries(triggers.map((trigger) => [trigger, 'late'])) as Record<Trigger, Cell>;
}

const ends: ReadonlySet<MigrationState> = new Set(['completed', 'aborted', 'expired', 'failed', 'rejected']);

/** True when nothing will happen to the migration any more. */
export function isEnd(state: MigrationState): boolean {
  return ends.has(state);
}

/** The next state, or null with the reason why the trigger changes nothing. */
export function transition(
  state: MigrationState,
  trigger: Trigger,
): { readonly next: MigrationState } | { readonly next: null; readonly why: 'same' | 'late' } {
  const cell = transitions[state][trigger];
  return cell === 'same' || cell === 'late' ? { next: null, why: cell } : { next: cell };
}
