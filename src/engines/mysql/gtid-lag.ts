/** Greatest sequence number by domain, from MariaDB's `0-1-100,2-5-7`. */
export function positionOf(text: string): ReadonlyMap<number, bigint> {
  const position = new Map<number, bigint>();
  for (const part of text.split(',')) {
    const match = /^\s*(\d+)-\d+-(\d+)\s*$/.exec(part);
    if (match === null) continue;
    const domain = Number(match[1]);
    const sequence = BigInt(match[2]!);
    if (sequence > (position.get(domain) ?? -1n)) position.set(domain, sequence);
  }
  return position;
}

/** True where all that came in is applied. */
export function includes(applied: string, received: string): boolean {
  const done = positionOf(applied);
  return [...positionOf(received)].every(([domain, sequence]) => sequence <= (done.get(domain) ?? -1n));
}

/** Positions that are remembered; older ones are thinned. */
const most = 64;

/**
 * How long ago that came in which is not applied yet, by looks at the two positions: with parallel appliers the
 * server's own count of seconds may say 0 before the first of them is done. Exact to the time between looks.
 */
export class GtidLag {
  #waiting: { readonly received: string; readonly atMs: number }[] = [];

  /** 0 where all is applied. */
  lookMs(received: string, applied: string, nowMs: number): number {
    this.#waiting = this.#waiting.filter((one) => !includes(applied, one.received));
    if (!includes(applied, received) && this.#waiting.at(-1)?.received !== received) {
      this.#waiting.push({ received, atMs: nowMs });
      if (this.#waiting.length > most) this.#waiting = this.#waiting.filter((_, at) => at % 2 === 0);
    }
    const oldest = this.#waiting[0];
    return oldest === undefined ? 0 : nowMs - oldest.atMs;
  }
}
