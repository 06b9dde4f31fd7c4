/** How fast the machine was, by the always-warm control. */
export interface Control {
  /** Its place in the order of all runs. */
  readonly at: number;
  readonly tps: number;
  readonly p50Ms: number;
}

/** Between two controls a machine may become that much slower or faster; beyond it, what ran in between is not compared. */
export const driftBounds = { tps: 0.1, p50: 0.35 } as const;

export interface Drift {
  /** Greater ÷ smaller of the two controls around the run, less 1. */
  readonly tps: number;
  readonly p50: number;
  readonly comparable: boolean;
}

/**
 * Of the run at that place: between the last control before it (or at it) and the next behind it. The last control
 * has itself alone; what ran behind it is not compared.
 */
export function driftAt(controls: readonly Control[], at: number): Drift {
  const before = controls.findLast((control) => control.at <= at);
  const behind = controls.find((control) => control.at > at) ?? (before?.at === at ? before : undefined);
  if (before === undefined || behind === undefined)
    return { tps: Number.NaN, p50: Number.NaN, comparable: false };
  const tps = apart(before.tps, behind.tps);
  const p50 = apart(before.p50Ms, behind.p50Ms);
  return { tps, p50, comparable: tps <= driftBounds.tps && p50 <= driftBounds.p50 };
}

function apart(left: number, right: number): number {
  const [low, high] = left < right ? [left, right] : [right, left];
  return low <= 0 ? Number.POSITIVE_INFINITY : high / low - 1;
}
