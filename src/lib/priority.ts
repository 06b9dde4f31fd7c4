import { constants, getPriority, setPriority } from 'node:os';

/** Lets all else on this host have the processors first, unless an administrator has chosen a priority; never throws. */
export function yieldProcessors(): void {
  try {
    if (getPriority() === constants.priority.PRIORITY_NORMAL) {
      setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    }
  } catch {
    // A sandbox may forbid it; whoever forbids it has the say.
  }
}
