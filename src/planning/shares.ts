/**
 * Divides `total` among `needs` so that the smallest share is as large as it can be (max-min): who
 * needs little gets all of it, and the rest is split evenly.
 * Whole numbers whose sum is never over `total`, in the order of `needs`.
 */
export function fairShares(total: number, needs: readonly number[]): number[] {
  const shares = new Array<number>(needs.length).fill(0);
  const order = needs.map((_, i) => i).sort((a, b) => needs[a]! - needs[b]! || a - b);
  let left = Math.max(0, Math.floor(total));
  order.forEach((at, served) => {
    const even = Math.floor(left / (order.length - served));
    shares[at] = Math.max(0, Math.min(Math.floor(needs[at]!), even));
    left -= shares[at];
  });
  return shares;
}

/** A migration that waits to read its next chunk. */
export interface TurnCandidate {
  readonly id: string;
  /** Its VM runs here already, on a cold cache. */
  readonly arrived: boolean;
  /** Any clock, the same for all; null: none. */
  readonly deadlineMs: number | null;
  /** Chunks that others have read since this one last did. */
  readonly waitedTurns: number;
}

/** Nobody waits for more of others' chunks than this for each candidate, whatever their rank. */
export const longestWaitPerCandidate = 4;

/**
 * Whose chunk the disk reads next: first who has waited too long, then arrived VMs in turn, for they
 * suffer now, then the earliest deadline. Undefined where there is none.
 */
export function nextTurn<T extends TurnCandidate>(candidates: readonly T[]): T | undefined {
  const limit = longestWaitPerCandidate * candidates.length;
  const rank = (c: T) => (c.waitedTurns >= limit ? 0 : c.arrived ? 1 : 2);
  const deadline = (c: T) => c.deadlineMs ?? Number.MAX_SAFE_INTEGER;
  return [...candidates].sort((a, b) => {
    if (rank(a) !== rank(b)) return rank(a) - rank(b);
    const byDeadline = rank(a) === 2 ? deadline(a) - deadline(b) : 0;
    return byDeadline || b.waitedTurns - a.waitedTurns || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
  })[0];
}
