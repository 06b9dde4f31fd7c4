import { ForewarmError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { MysqlConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const admitStatement = sqlStatement('admit-new-pages');

/** One call lets new pages in for so long; the agent's death ends it as late. */
const callMs = 1_000;
/** Below this part of the pool free pages do not last: new ones would throw out each other. */
const fullBelow = 0.05;

/**
 * Lets pages that are read into a full pool stay: while anything holds it, and for at most a call longer, new
 * pages enter the pool as those that were just used. The server restores its setting by itself.
 */
export class Admission {
  readonly #connections: MysqlConnections;
  readonly #logger: Logger;
  #holders = 0;
  #full = false;
  #allowed = false;
  #running = false;

  constructor(connections: MysqlConnections, logger: Logger) {
    this.#connections = connections;
    this.#logger = logger;
  }

  /** What the last look at the pool told. */
  update(pool: { readonly freeBlocks: number; readonly poolBlocks: number }, allowed: boolean): void {
    this.#full = pool.freeBlocks < pool.poolBlocks * fullBelow;
    this.#allowed = allowed;
  }

  /** Begins where the pool is full; call the returned function when the read is done. */
  hold(): () => void {
    this.#holders++;
    if (this.#full && this.#allowed && !this.#running) void this.#run();
    return () => {
      this.#holders--;
    };
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#holders > 0 && this.#full && this.#allowed) {
        await this.#connections.query(admitStatement, [callMs], { purpose: 'admit' });
      }
    } catch (error) {
      // Warming goes on without it: pages are kept less surely.
      this.#allowed = false;
      const code = error instanceof ForewarmError ? error.code : 'internal';
      this.#logger.warn({ code }, 'new pages cannot be let in as young ones');
    } finally {
      this.#running = false;
    }
  }
}
