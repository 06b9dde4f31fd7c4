/** Sampled sessions of one statement that lead to one VM; '' stands for sessions that no rule matches. */
export interface SampleCount {
  readonly vm: string;
  /** Seen while running the statement. */
  readonly active: number;
  /** Seen idle with it as their last statement. */
  readonly idle: number;
}

/** From here on the idle samples are left out: they only say which statement ends a burst. */
const enoughActive = 8;
const idleWeight = 0.5;

/** Parts of a statement's volume by VM, adding up to 1; undefined where no session was seen with it. */
export function splitParts(counts: readonly SampleCount[]): ReadonlyMap<string, number> | undefined {
  const active = counts.reduce((total, one) => total + one.active, 0);
  const useIdle = active < enoughActive;
  const weights = counts.map((one) => [one.vm, one.active + (useIdle ? one.idle * idleWeight : 0)] as const);
  return normalize(weights);
}

/** Scales weights of equal keys to parts of 1; undefined where all are zero. */
export function normalize(
  weights: Iterable<readonly [string, number]>,
): ReadonlyMap<string, number> | undefined {
  const merged = new Map<string, number>();
  let total = 0;
  for (const [key, weight] of weights) {
    if (!(weight > 0)) continue;
    merged.set(key, (merged.get(key) ?? 0) + weight);
    total += weight;
  }
  if (total <= 0) return undefined;
  return new Map([...merged].map(([key, weight]) => [key, weight / total]));
}
