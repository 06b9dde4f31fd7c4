/**
 * What a switch of a pool to another replica goes through.
 * `preparation`: connections are opened, checked and warmed there, while all work stays where it is.
 * `in progress`: new checkouts wait, for the blink of an eye, until the new replica shows all that was seen.
 * `post`: new checkouts go to the new replica, the old one's connections are drained.
 * The rest are ends: `failed` and `superseded` before the swap, `fell back` after it.
 */
export const phases = [
  'preparation',
  'in progress',
  'post',
  'completed',
  'failed',
  'superseded',
  'fell back',
] as const;
export type Phase = (typeof phases)[number];

/** What may happen to a switch; `wait` takes it back to preparation, for the new replica lags. */
export const happenings = ['prepared', 'wait', 'swapped', 'drained', 'fail', 'supersede'] as const;
export type Happening = (typeof happenings)[number];

/** A phase to go to, or why nothing changes: `early` (not swapped yet), `late` (too late to matter). */
export type Cell = Phase | 'early' | 'late';

/** Phases × happenings, with no empty cell: a missing one is a type error. A swap is never superseded. */
export const transitions: Readonly<Record<Phase, Readonly<Record<Happening, Cell>>>> = {
  preparation: {
    prepared: 'in progress',
    wait: 'late',
    swapped: 'early',
    drained: 'early',
    fail: 'failed',
    supersede: 'superseded',
  },
  'in progress': {
    prepared: 'late',
    wait: 'preparation',
    swapped: 'post',
    drained: 'early',
    fail: 'failed',
    supersede: 'superseded',
  },
  post: {
    prepared: 'late',
    wait: 'late',
    swapped: 'late',
    drained: 'completed',
    fail: 'fell back',
    supersede: 'late',
  },
  completed: ended(),
  failed: ended(),
  superseded: ended(),
  'fell back': ended(),
};

function ended(): Record<Happening, Cell> {
  return {
    prepared: 'late',
    wait: 'late',
    swapped: 'late',
    drained: 'late',
    fail: 'late',
    supersede: 'late',
  };
}

/** The next phase, or null where the happening changes nothing. */
export function nextPhase(phase: Phase, happening: Happening): Phase | null {
  const cell = transitions[phase][happening];
  return cell === 'early' || cell === 'late' ? null : cell;
}

/** True when nothing will happen to the switch any more. */
export function isOver(phase: Phase): boolean {
  return phase !== 'preparation' && phase !== 'in progress' && phase !== 'post';
}
