import { systemClock } from '../../lib/clock.ts';
import { ForewarmError } from '../../lib/errors.ts';
import { TimeBudget } from '../../lib/time-budget.ts';
import type { MysqlConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const uncountedStatement = sqlStatement('uncounted-pages');

/** Pages by index, whatever the key. */
type Pages = ReadonlyMap<string, number>;

/** A change of this part of the pages in use is looked into, from so many pages on. */
const noticedPart = 0.01;
const noticedPages = 64;
/** Undo and other pages of no index come and go: walks take at most this part of the time. */
const walkShare = 0.05;
const walkBurstMs = 1_000;

/**
 * MySQL's counters of cached pages know nothing of pages that an index build made, until these are thrown out and
 * read anew. How many the counters leave out in all is cheap to see; of which indexes they are, a walk of the pool
 * tells, once for each change of that.
 */
export class UncountedPages {
  readonly #connections: MysqlConnections;
  readonly #walkTime = new TimeBudget({ clock: systemClock, share: walkShare, burstMs: walkBurstMs });
  /** By database: what was left out in all at the last walk, and what of each index. */
  readonly #walked = new Map<string, { readonly left: number; readonly pages: Pages }>();

  constructor(connections: MysqlConnections) {
    this.#connections = connections;
  }

  /** What the counters leave out of each index of a database. Where the walk fails, as far as it was known. */
  async of(database: string, counted: Pages, walk: () => Promise<Pages>): Promise<Pages> {
    const [row] = await this.#connections.query<{ used: number | string; counted: number | string }>(
      uncountedStatement,
      [],
      { purpose: 'walk' },
    );
    const used = Number(row?.used ?? 0);
    const left = Math.max(0, used - Number(row?.counted ?? 0));
    const known = this.#walked.get(database) ?? { left: 0, pages: new Map() };
    const noticed = Math.max(noticedPages, used * noticedPart);
    if (Math.abs(left - known.left) <= noticed || this.#walkTime.isSpent) return known.pages;
    const pages = await this.#walkTime.run(walk).then(
      (seen) => differences(seen, counted),
      (error: unknown) => {
        if (error instanceof ForewarmError && error.code === 'statement_timeout') return known.pages;
        throw error;
      },
    );
    this.#walked.set(database, { left, pages });
    return pages;
  }
}

const differences = (seen: Pages, counted: Pages): Pages =>
  new Map([...seen].map(([key, pages]) => [key, Math.max(0, pages - (counted.get(key) ?? 0))] as const));
