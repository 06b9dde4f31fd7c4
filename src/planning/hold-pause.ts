export interface HoldPauseInput {
  /** What the last round's statements took at the dearer of the two servers; reading blocks not counted. */
  readonly roundCostMs: number;
  readonly changedFraction: number;
  /** The last pause; null before the first. */
  readonly lastPauseMs: number | null;
}

export interface HoldPauseOptions {
  /** The part of a server's time that rounds may take, 0 to 1. It wins over `longestMs`. */
  readonly costFraction: number;
  readonly shortestMs: number;
  readonly longestMs: number;
  /** Before the first round: what the VM touched while the plan was read is what it wants first where it goes. */
  readonly firstMs: number;
  /** Changes above `busy` halve the pause, below `quiet` they double it. */
  readonly busy: number;
  readonly quiet: number;
}

export const defaultHoldPauseOptions: HoldPauseOptions = {
  costFraction: 0.02,
  shortestMs: 1000,
  longestMs: 30_000,
  firstMs: 500,
  busy: 0.02,
  quiet: 0.005,
};

/** How long to wait before the next hold round: soon before the first, then shorter while much changes, never dearer than its fraction. */
export function holdPauseMs(
  input: HoldPauseInput,
  options: HoldPauseOptions = defaultHoldPauseOptions,
): number {
  const { costFraction, shortestMs, longestMs, firstMs, busy, quiet } = options;
  const { changedFraction, lastPauseMs: last } = input;
  if (last === null) return Math.min(firstMs, shortestMs);
  const wished = changedFraction > busy ? last / 2 : changedFraction < quiet ? last * 2 : last;
  const affordable = Math.max(0, input.roundCostMs) * (1 / costFraction - 1);
  return Math.ceil(Math.max(Math.min(Math.max(wished, shortestMs), longestMs), affordable));
}
