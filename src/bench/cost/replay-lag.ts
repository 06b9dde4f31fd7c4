/** A position in the WAL, in bytes, as it was seen at a moment, in ms of one clock. */
export interface PositionSample {
  readonly atMs: number;
  readonly position: number;
}

/**
 * For each look at a replica, how old the newest state of the primary is that it has replayed as a whole, in ms; as
 * exact as the primary was looked at often. Looks at which the replica lacks all that was seen are left out.
 * Both lists rise in time.
 */
export function lagsOf(primary: readonly PositionSample[], replica: readonly PositionSample[]): number[] {
  const lags: number[] = [];
  for (const { atMs, position } of replica) {
    const seen = primary.filter((one) => one.atMs <= atMs);
    const newest = seen.findLast((one) => one.position <= position);
    if (newest === undefined) continue;
    // With nothing written since, it lacks nothing.
    const lacks = seen.some((one) => one.position > position);
    lags.push(lacks ? atMs - newest.atMs : 0);
  }
  return lags;
}
