import { ForewarmError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { MysqlConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const admitStatement = sqlStatement('admit-new-pages');
const restoreStatement = sqlStatement('restore-old-blocks-time');

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
  #usualMs = 0;
  #running = false;

  constructor(connections: MysqlConnections, logger: Logger) {
    this.#connections = connections;
    this.#logger = logger;
  }

  /** What the last look at the pool told. `oldBlocksTimeMs`: the server's setting; 0 while new pages are let in. */
  update(
    pool: { readonly freeBlocks: number; readonly poolBlocks: number },
    server: { readonly admits: boolean; readonly oldBlocksTimeMs: number },
  ): void {
    this.#full = pool.freeBlocks < pool.poolBlocks * fullBelow;
    this.#allowed = server.admits;
    if (server.oldBlocksTimeMs > 0) this.#usualMs = server.oldBlocksTimeMs;
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
      await this.#restore();
    } finally {
      this.#running = false;
    }
  }

  /** A session that was killed could not do it itself; where nothing is to be restored, nothing is changed. */
  async #restore(): Promise<void> {
    await this.#connections
      .query(restoreStatement, [this.#usualMs], { purpose: 'admit' })
      .catch((error: unknown) => {
        const code = error instanceof ForewarmError ? error.code : 'internal';
        // A server that is gone begins with its configuration again.
        const level = code === 'database_unreachable' ? 'debug' : 'warn';
        this.#logger[level]({ code, usualMs: this.#usualMs }, 'innodb_old_blocks_time may still be 0');
      });
  }
}
