/** What reading is held back for. */
export const pauseReasons = [
  'trial',
  'residents_latency',
  'residents_read',
  'io_wait',
  'replay_lag',
  'deadline_near',
] as const;

export type ThrottleReason = 'none' | 'elsewhere' | 'arrived' | (typeof pauseReasons)[number];

/** What residents of a server felt in a stretch of time. */
export interface Felt {
  /** Mean statement time; null: unknown. */
  readonly latencyMs: number | null;
  /** Statements behind it: a mean of few says nothing. */
  readonly statements: number;
  /** Other sessions that run a statement, and those of them that wait for I/O. */
  readonly active: number;
  readonly ioWaiting: number;
}

/**
 * Why residents are slow, told by a trial in which nothing was read: `reading`, they fared better; `elsewhere`, they
 * did not; `unknown`, too little ran in it, and reading counts as the cause. Times are monotonic milliseconds.
 */
export interface Cause {
  readonly lies: 'reading' | 'elsewhere' | 'unknown';
  /** Their mean statement time in the trial, and whether most of them waited for I/O; null: unknown. */
  readonly restingLatencyMs: number | null;
  readonly restingWaits: boolean | null;
  readonly judgedMs: number;
  /** Nothing is told from then on. */
  readonly untilMs: number;
}

export interface ThrottleInput extends Felt {
  /** Residents' mean statement time before warming began; null: unknown. */
  readonly baselineLatencyMs: number | null;
  /** What the newest trial told. */
  readonly cause: Cause | null;
  readonly nowMs: number;
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
/** How fast pauses grow with residents' latency from `soft` on, where they begin at nothing. */
const steepness = 6;
/** Residents' latency over that of the last trial from which on it no longer tells, and how soon there may be another. */
const worseThanResting = 2;
const leastBetweenTrialsMs = 2_000;
/** The longest near a deadline: half the full pace is left. */
const nearDeadline = 1;
/** For sessions that wait for I/O, of which there is no measure of how much. */
const ioWaitPause = 2;

export interface ThrottleDecision {
  /** `try`: stop all reading for a moment, to see whether residents fare better without it. */
  readonly action: 'go' | 'pause' | 'try';
  readonly pauseMs: number;
  readonly reason: ThrottleReason;
  /** In words, with the figures that decided. */
  readonly detail: string;
}

/**
 * Whether the next chunk may be read at once. Do no harm comes first, but only pauses that help are made:
 * - replay lag over its limit brakes whatever else is so;
 * - where residents have become slow, a trial says whether reading is the cause. While it holds that they are as slow
 *   without, nothing short of `severe` beyond that brakes; else latency at `severe` brakes whatever the deadline says;
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
  const go = (reason: ThrottleReason, detail: string): ThrottleDecision => {
    return { action: 'go', pauseMs: 0, reason, detail };
  };
  const { lagMs, lagLimitMs } = input;
  if (lagMs !== null && lagMs > lagLimitMs) {
    const detail = `replay lag ${Math.round(lagMs)} ms over ${Math.round(lagLimitMs)} ms`;
    return pause('replay_lag', 1 + lagMs / Math.max(1, lagLimitMs), detail);
  }
  const cause = input.cause !== null && input.nowMs < input.cause.untilMs ? input.cause : null;
  const { baselineLatencyMs: usualMs } = input;
  const expectedMs = usualMs === null ? null : Math.max(usualMs, cause?.restingLatencyMs ?? 0);
  const slow = overLatency(input, usualMs, options);
  const latency = overLatency(input, expectedMs, options);
  const waiting = overIoWait(input, options);
  if (slow === null && waiting === null) return go('none', 'residents are well');
  if (input.arrived) return go('arrived', 'the VM is here; the waits are its own');
  const detail = (latency ?? slow ?? waiting)!.detail;
  if (cause === null) return { action: 'try', pauseMs: 0, reason: 'trial', detail };
  const inProportion = latency === null ? 0 : steepness * (latency.ratio / options.softLatencyRatio - 1);
  if (latency !== null && latency.ratio >= options.severeLatencyRatio) {
    return pause('residents_latency', inProportion, latency.detail);
  }
  if (cause.lies === 'elsewhere') {
    const worse =
      (latency !== null && (cause.restingLatencyMs === null || latency.ratio >= worseThanResting)) ||
      (waiting !== null && cause.restingWaits !== true);
    const again = worse && input.nowMs >= cause.judgedMs + leastBetweenTrialsMs;
    if (again) return { action: 'try', pauseMs: 0, reason: 'trial', detail };
    return go('elsewhere', `nothing that pauses would mend: ${detail}`);
  }
  // Waits that were there without reading as well are not mended by pauses.
  const waits = cause.restingWaits === true ? null : waiting;
  const braking = latency ?? waits;
  if (braking === null) return go('none', 'residents are as well as without reading');
  const longer = Math.max(inProportion, waits === null ? 0 : ioWaitPause);
  const { untilDeadlineMs, remainingMs } = input;
  if (untilDeadlineMs !== null && untilDeadlineMs <= 2 * remainingMs) {
    const times = `${Math.round(remainingMs)} ms to read, ${Math.round(untilDeadlineMs)} ms left`;
    return pause('deadline_near', Math.min(nearDeadline, longer), `${times}; ${braking.detail}`);
  }
  if (waits !== null && longer > inProportion) return pause('io_wait', longer, waits.detail);
  return pause('residents_latency', longer, braking.detail);
}

/** How much slower residents are than `usualMs`, where that is worth braking for. */
export function overLatency(
  { latencyMs: now, statements }: Felt,
  usualMs: number | null,
  options: ThrottleOptions = defaultThrottleOptions,
) {
  if (usualMs === null || now === null || statements < options.leastStatements) return null;
  if (now <= options.ignoreBelowMs) return null;
  const ratio = now / Math.max(usualMs, options.ignoreBelowMs / options.softLatencyRatio);
  if (ratio <= options.softLatencyRatio) return null;
  return {
    ratio,
    detail: `residents' statements take ${now.toFixed(2)} ms, ${usualMs.toFixed(2)} ms otherwise`,
  };
}

export function overIoWait({ active, ioWaiting }: Felt, options: ThrottleOptions = defaultThrottleOptions) {
  if (ioWaiting < options.leastIoWaiting || ioWaiting <= active * options.ioWaitShare) return null;
  return { detail: `${ioWaiting} of ${active} active sessions wait for I/O` };
}
