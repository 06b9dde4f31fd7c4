/** What the machine's host may take from a run. */
export interface Tolerance {
  /** Part of the processors' time, 0 to 1, that it may give to others. */
  readonly stolenShare: number;
  /** So many runs, in all, are made again; what comes after them counts as it is. */
  readonly again: number;
}

/** Makes runs again while the host was busy with others: they tell of the host, whatever came out of them. */
export class Undisturbed<Run extends { readonly stolenShare?: number | undefined }> {
  /** Those that do not count, in the order of time. */
  readonly setAside: Run[] = [];
  readonly #tolerance: Tolerance;

  /** Without a tolerance every run counts. */
  constructor(tolerance: Tolerance = { stolenShare: 1, again: 0 }) {
    this.#tolerance = tolerance;
  }

  async run(once: () => Promise<Run>): Promise<Run> {
    const { stolenShare, again } = this.#tolerance;
    for (;;) {
      const seen = await once();
      if ((seen.stolenShare ?? 0) <= stolenShare || this.setAside.length >= again) return seen;
      this.setAside.push(seen);
    }
  }
}
