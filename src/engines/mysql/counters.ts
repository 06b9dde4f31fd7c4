interface Counted {
  readonly calls: number;
  readonly accesses: number;
}

/** Differences of cumulative counts between looks; a reset or a row that came anew counts from zero. */
export class Counters<Row extends Counted> {
  readonly #keyOf: (row: Row) => string;
  readonly #before = new Map<string, Counted>();
  #based = false;

  constructor(keyOf: (row: Row) => string) {
    this.#keyOf = keyOf;
  }

  /** False until the first call of `take`, which only sets the baseline. */
  get based(): boolean {
    return this.#based;
  }

  /** Rows that grew, with what they grew by. `complete`: rows that are missing are gone. */
  take(rows: readonly Row[], complete: boolean): { row: Row; accesses: number }[] {
    const grown: { row: Row; accesses: number }[] = [];
    const now = new Set<string>();
    for (const row of rows) {
      const key = this.#keyOf(row);
      now.add(key);
      const last = this.#before.get(key);
      const anew = last === undefined || row.calls < last.calls || row.accesses < last.accesses;
      const accesses = row.accesses - (anew ? 0 : last.accesses);
      if (this.#based && accesses > 0) grown.push({ row, accesses });
      this.#before.set(key, { calls: row.calls, accesses: row.accesses });
    }
    if (complete) for (const key of this.#before.keys()) if (!now.has(key)) this.#before.delete(key);
    this.#based = true;
    return grown;
  }
}
