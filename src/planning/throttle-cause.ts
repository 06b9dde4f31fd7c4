import {
  type Cause,
  defaultThrottleOptions,
  type Felt,
  overIoWait,
  overLatency,
  type ThrottleOptions,
} from './throttle.ts';

/** A moment in which all reading stopped, because residents were slow. Times are monotonic milliseconds. */
export interface Trial {
  /** Residents' mean statement time before warming began; null: unknown. */
  readonly baselineLatencyMs: number | null;
  /** What led to it. */
  readonly reading: Felt;
  /** While nothing was read; null: that could not be measured. */
  readonly resting: Felt | null;
  readonly endedMs: number;
}

/** How long the first trial holds; each further one that finds no fault with reading twice as long, up to the longest. */
const holdsMs = { first: 4_000, longest: 32_000 };

/** `before`: what the last trial told. */
export function judgeTrial(
  before: Cause | null,
  trial: Trial,
  options: ThrottleOptions = defaultThrottleOptions,
): Cause {
  const { resting, endedMs } = trial;
  const lies = whereItLies(trial, options);
  return {
    lies,
    restingLatencyMs: isKnown(resting, options) ? resting.latencyMs : null,
    restingWaits: resting === null ? null : overIoWait(resting, options) !== null,
    judgedMs: endedMs,
    untilMs: endedMs + (lies === 'elsewhere' ? nextHoldMs(before, endedMs) : holdsMs.first),
  };
}

/** One of long ago tells nothing of how steady things are. */
function nextHoldMs(before: Cause | null, nowMs: number): number {
  if (before === null || before.lies !== 'elsewhere') return holdsMs.first;
  const heldMs = before.untilMs - before.judgedMs;
  if (nowMs >= before.untilMs + heldMs) return holdsMs.first;
  return Math.min(holdsMs.longest, Math.max(holdsMs.first, 2 * heldMs));
}

/** Reading is the cause of what is gone without it. */
function whereItLies(
  { baselineLatencyMs, reading, resting }: Trial,
  options: ThrottleOptions,
): Cause['lies'] {
  if (resting === null) return 'unknown';
  const slow = overLatency(reading, baselineLatencyMs, options) !== null;
  const waits = overIoWait(reading, options) !== null;
  const known = isKnown(resting, options);
  if (slow && known && overLatency(reading, resting.latencyMs, options) !== null) return 'reading';
  if (waits && overIoWait(resting, options) === null) return 'reading';
  return slow && !known ? 'unknown' : 'elsewhere';
}

const isKnown = (felt: Felt | null, options: ThrottleOptions): felt is Felt =>
  felt !== null && felt.latencyMs !== null && felt.statements >= options.leastStatements;
