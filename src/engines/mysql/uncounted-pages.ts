import { type Clock, systemClock } from '../../lib/clock.ts';
import { ForewarmError } from '../../lib/errors.ts';
import { TimeBudget } from '../../lib/time-budget.ts';
import type { MysqlConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const uncountedStatement = sqlStatement('uncounted-pages');

/** Pages by index, whatever the key. */
type Pages = ReadonlyMap<string, number>;

/** Both by index: the pool's pages one by one, and the server's counters. */
interface Looks {
  readonly walk: () => Promise<Pages>;
  readonly count: () => Promise<Pages>;
}

/** A change of this part of the pages in use is looked into, from so many pages on. */
const noticedPart = 0.01;
const noticedPages = 64;
/** Undo and other pages of no index come and go: walks take at most this part of the time. */
const walkShare = 0.05;
const walkBurstMs = 2_000;

/**
 * MySQL's counters of cached pages know nothing of pages that an index build made, until these are thrown out and
 * read anew. How many the counters leave out in all is cheap to see; of which indexes they are, a walk of the pool
 * tells, once for each change of that.
 */
export class UncountedPages {
  readonly #connections: MysqlConnections;
  readonly #clock: Clock;
  readonly #databases = new Map<string, Known>();

  constructor(connections: MysqlConnections, clock: Clock = systemClock) {
    this.#connections = connections;
    this.#clock = clock;
  }

  /** What the counters leave out of each index of a database. Where the walk takes too long, as far as it was known. */
  async of(database: string, by: Looks, signal?: AbortSignal): Promise<Pages> {
    const how = { purpose: 'walk', signal } as const;
    const [row] = await this.#connections.query<Sums>(uncountedStatement, [], how);
    const used = Number(row?.used ?? 0);
    const left = Math.max(0, used - Number(row?.counted ?? 0));
    const known = this.#databases.get(database) ?? newKnown(this.#clock);
    this.#databases.set(database, known);
    const noticed = Math.max(noticedPages, used * noticedPart);
    if (Math.abs(left - known.left) <= noticed) return known.pages;
    // Fewer than was known: some of these were thrown out, and to count them still would call ready too early.
    if (known.walkTime.isSpent) return left < known.left ? new Map() : known.pages;
    known.pages = await known.walkTime.run(async () => {
      try {
        return differences(await by.walk(), await by.count());
      } catch (error) {
        if (error instanceof ForewarmError && error.code === 'statement_timeout') return known.pages;
        throw error;
      }
    });
    // Not where the walk failed in another way: it is tried again.
    known.left = left;
    return known.pages;
  }
}

interface Sums {
  readonly used: number | string;
  readonly counted: number | string;
}

interface Known {
  /** Pages that were left out in all at the last walk. */
  left: number;
  /** Of these, what each index had. */
  pages: Pages;
  readonly walkTime: TimeBudget;
}

const newKnown = (clock: Clock): Known => ({
  left: 0,
  pages: new Map(),
  walkTime: new TimeBudget({ clock, share: walkShare, burstMs: walkBurstMs }),
});

/** `counted` is newer, so that what was read meanwhile is not taken for left out. */
const differences = (seen: Pages, counted: Pages): Pages =>
  new Map([...seen].map(([key, pages]) => [key, Math.max(0, pages - (counted.get(key) ?? 0))] as const));
