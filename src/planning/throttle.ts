export type ThrottleReason =
  | 'none'
  | 'residents_latency'
  | 'io_wait'
  | 'replay_lag'
  | 'deadline_near'
  | 'arrived';

export interface ThrottleInput {
  /** Residents' mean statement time before warming began, and in the window since the last look; null: unknown. */
  readonly baselineLatencyMs: number | null;
  readonly latencyMs: number | null;
  /** Statements in that window: a mean of few says nothing. */
  readonly statements: number;
  /** Other sessions that run a statement, and those of them that wait for I/O. */
  readonly active: number;
  readonly ioWaiting: number;
  /** Null: unknown. */
  readonly lagMs: number | null;
  readonly lagLimitMs: number;
  /** Time left, and time that the rest of the plan takes unthrottled; null: no deadline. */
  readonly untilDeadlineMs: number | null;
  readonly remainingMs: number;
  /** The VM runs here already: its own waits are in these figures, and warming is what ends them. */
  readonly arrived: boolean;
  /** Duration of the chunk just read: pauses are in proportion to it. */
  readonly chunkMs: number;
}

export interface ThrottleOptions {
  /** Residents' latency over the baseline: from `soft` on it brakes, at `severe` nothing overrides it. */
  readonly softLatencyRatio: number;
  readonly severeLatencyRatio: number;
  /** Latency below this is fast enough, whatever the ratio. */
  readonly ignoreBelowMs: number;
  readonly leastStatements: number;
  /** Part of the active sessions that may wait for I/O, with at least `leastIoWaiting` of them. */
  readonly ioWaitShare: number;
  readonly leastIoWaiting: number;
  readonly maxPauseMs: number;
}

export const defaultThrottleOptions: ThrottleOptions = {
  softLatencyRatio: 1.5,
  severeLatencyRatio: 4,
  ignoreBelowMs: 0.5,
  leastStatements: 20,
  ioWaitShare: 0.5,
  leastIoWaiting: 2,
  maxPauseMs: 5000,
};

/** Longest pause for each millisecond of reading: warming never takes less than a ninth of its full pace. */
const slowest = 8;
/** The floor near a deadline: half the full pace while residents are above `soft`. */
const nearDeadline = 1;

export interface ThrottleDecision {
  readonly action: 'go' | 'pause';
  readonly pauseMs: number;
  readonly reason: ThrottleReason;
  /** In words, with the figures that decided. */
  readonly detail: string;
}

/**
 * Whether the next chunk may be read at once. Do no harm comes first:
 * - replay lag over its limit, or residents' latency at `severe`, brakes whatever the deadline says;
 * - a near deadline shortens the softer pauses to the length of the chunk, so that warming keeps half
 *   its pace and residents half the disk, but never lifts them;
 * - after arrival latency and I/O waits are the VM's own, and only replay lag brakes.
 */
export function decideThrottle(
  input: ThrottleInput,
  options: ThrottleOptions = defaultThrottleOptions,
): ThrottleDecision {
  const pause = (reason: ThrottleReason, factor: number, detail: string): ThrottleDecision => {
    const pauseMs = Math.min(options.maxPauseMs, Math.max(1, input.chunkMs) * Math.min(slowest, factor));
    return { action: 'pause', pauseMs: Math.ceil(pauseMs), reason, detail };
  };
  const { lagMs, lagLimitMs } = input;
  if (lagMs !== null && lagMs > lagLimitMs) {
    const detail = `replay lag ${Math.round(lagMs)} ms over ${Math.round(lagLimitMs)} ms`;
    return pause('replay_lag', 1 + lagMs / Math.max(1, lagLimitMs), detail);
  }
  const latency = overLatency(input, options);
  const waiting = overIoWait(input, options);
  if (latency === null && waiting === null) {
    return { action: 'go', pauseMs: 0, reason: 'none', detail: 'residents are well' };
  }
  if (input.arrived) {
    return { action: 'go', pauseMs: 0, reason: 'arrived', detail: 'the VM is here; the waits are its own' };
  }
  if (latency !== null && latency.ratio >= options.severeLatencyRatio) {
    return pause('residents_latency', latency.ratio, latency.detail);
  }
  const { untilDeadlineMs, remainingMs } = input;
  if (untilDeadlineMs !== null && untilDeadlineMs <= 2 * remainingMs) {
    const detail = `${Math.round(remainingMs)} ms to read, ${Math.round(untilDeadlineMs)} ms left; ${(latency ?? waiting)?.detail}`;
    return pause('deadline_near', nearDeadline, detail);
  }
  if (latency !== null) return pause('residents_latency', 2 * latency.ratio, latency.detail);
  return pause('io_wait', 2, waiting!.detail);
}

function overLatency(input: ThrottleInput, options: ThrottleOptions) {
  const { baselineLatencyMs: baseline, latencyMs: now, statements } = input;
  if (baseline === null || now === null || statements < options.leastStatements) return null;
  if (now <= options.ignoreBelowMs) return null;
  const ratio = now / Math.max(baseline, options.ignoreBelowMs / options.softLatencyRatio);
  if (ratio <= options.softLatencyRatio) return null;
  return {
    ratio,
    detail: `residents' statements take ${now.toFixed(2)} ms, ${baseline.toFixed(2)} ms before`,
  };
}

function overIoWait(input: ThrottleInput, options: ThrottleOptions) {
  const { active, ioWaiting } = input;
  if (ioWaiting < options.leastIoWaiting || ioWaiting <= active * options.ioWaitShare) return null;
  return { detail: `${ioWaiting} of ${active} active sessions wait for I/O` };
}
