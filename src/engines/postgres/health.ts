import { performance } from 'node:perf_hooks';
import { ForewarmError } from '../../lib/errors.ts';
import type { ServerHealth } from '../engine.ts';
import type { PostgresConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const healthStatement = sqlStatement('health');
const totalsStatement = sqlStatement('statement-totals');

/** The totals of the statements are read only so often that they cost at most this part of the time. */
const totalsCostShare = 0.02;

interface Row {
  readonly in_recovery: boolean;
  readonly behind: boolean;
  readonly replay_age_ms: number | null;
  readonly paused: boolean;
  readonly receives: boolean;
  readonly restores: boolean;
  readonly active: number;
  readonly io_waiting: number;
}

type Totals = NonNullable<ServerHealth['statements']>;

/** Reads the figures for throttling; remembers when replay was last caught up. */
export class HealthReader {
  readonly #connections: PostgresConnections;
  readonly #now: () => number;
  #caughtUpAtMs: number | undefined;
  #totals: Totals | null = null;
  #totalsDueMs = 0;

  constructor(connections: PostgresConnections, now: () => number = () => performance.now()) {
    this.#connections = connections;
    this.#now = now;
  }

  /** `statements` may be those of the call before: they are read anew as often as is cheap. */
  async read(): Promise<ServerHealth> {
    const askedMs = this.#now();
    const [row] = await this.#connections.query<Row>(this.#connections.mainDatabase, healthStatement);
    if (row === undefined) throw new ForewarmError('internal', 'the health statement gave no row');
    return {
      lagMs: this.#lagMs(row, askedMs),
      replaying: !row.in_recovery || (!row.paused && (row.receives || row.restores)),
      active: row.active,
      ioWaiting: row.io_waiting,
      statements: await this.#statements(),
    };
  }

  /**
   * The age of the last replayed transaction says too much after an idle time: what is not replayed yet
   * cannot be older than the last moment at which all was.
   */
  #lagMs(row: Row, askedMs: number): number | null {
    if (!row.behind) {
      this.#caughtUpAtMs = askedMs;
      return 0;
    }
    const sinceCaughtUpMs =
      this.#caughtUpAtMs === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#caughtUpAtMs;
    const lagMs = Math.min(row.replay_age_ms ?? Number.POSITIVE_INFINITY, sinceCaughtUpMs);
    return Number.isFinite(lagMs) ? Math.max(0, lagMs) : null;
  }

  async #statements(): Promise<Totals | null> {
    const startedMs = this.#now();
    if (startedMs < this.#totalsDueMs) return this.#totals;
    try {
      const [totals] = await this.#connections.query<Totals>(this.#connections.mainDatabase, totalsStatement);
      this.#totals = totals ?? null;
    } catch (error) {
      if (!(error instanceof ForewarmError) || error.code === 'database_unreachable') throw error;
      this.#totals = null;
    }
    const endedMs = this.#now();
    this.#totalsDueMs = endedMs + Math.max(50, (endedMs - startedMs) / totalsCostShare);
    return this.#totals;
  }
}
