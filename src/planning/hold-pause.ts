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
  /** Changes above `busy` halve the pause, below `quiet` they double it. */
  readonly busy: number;
  readonly quiet: number;
}

export const defaultHoldPauseOptions: HoldPauseOptions = {
  costFraction: 0.02,
  shortestMs: 1000,
  longestMs: 30_000,
  busy: 0.02,
  quiet: 0.005,
};

/** How long to wait before the next hold round: shorter while much changes, never dearer than its fraction. */
export function holdPauseMs(
  input: HoldPauseInput,
  options: HoldPauseOptions = defaultHoldPauseOptions,
): number {
  const { costFraction, shortestMs, longestMs, busy, quiet } = options;
  const { changedFraction } = input;
  const last = input.lastPauseMs ?? 2 * shortestMs;
  const wished = changedFraction > busy ? last / 2 : changedFraction < quiet ? last * 2 : last;
  const affordable = Math.max(0, input.roundCostMs) * (1 / costFraction - 1);
  return Math.ceil(Math.max(Math.min(Math.max(wished, shortestMs), longestMs), affordable));
}
