/** Sampled sessions of one statement that lead to one VM; '' stands for sessions that no rule matches. */
export interface SampleCount {
  readonly vm: string;
  /** Seen while running the statement. */
  readonly active: number;
  /** Seen idle with it as their last statement. */
  readonly idle: number;
}

/** How many times its chance error the active samples must lie off the idle ones before they count for more. */
const surprise = 2;

/**
 * Parts of a statement's volume by VM, adding up to 1; undefined where no session was seen with it. Active
 * samples go by volume, but of a fast statement they are few; idle ones are many, but also go by how long a VM
 * rests behind the statement. So the idle ones count for as much as the active ones' distance from them is
 * within what chance makes of so few.
 */
export function splitParts(counts: readonly SampleCount[]): ReadonlyMap<string, number> | undefined {
  const active = normalize(counts.map((one) => [one.vm, one.active] as const));
  const idle = normalize(counts.map((one) => [one.vm, one.idle] as const));
  if (active === undefined || idle === undefined) return active ?? idle;
  const looks = counts.reduce((total, one) => total + one.active, 0);
  let [chance, apart] = [0, 0];
  for (const vm of new Set(counts.map((one) => one.vm))) {
    const [a, i] = [active.get(vm) ?? 0, idle.get(vm) ?? 0];
    // With one look more that saw what the idle ones tell: few active samples make nothing certain.
    const part = (a * looks + i) / (looks + 1);
    chance += (part * (1 - part)) / looks;
    apart += (a - i) ** 2;
  }
  const trust = apart <= surprise * chance ? 1 : (surprise * chance) / apart;
  return normalize(
    [...idle]
      .map(([vm, part]) => [vm, part * trust] as const)
      .concat([...active].map(([vm, part]) => [vm, part * (1 - trust)] as const)),
  );
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
