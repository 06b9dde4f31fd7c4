import { ForewarmError } from '../../lib/errors.ts';
import type { ServerHealth } from '../engine.ts';
import type { MysqlConnections } from './connections.ts';
import { isTakenAway } from './error-numbers.ts';
import { ReplicationReader } from './replication.ts';
import { sqlStatement } from './sql.ts';

const userStatement = sqlStatement('own-user');
const loadStatement = sqlStatement('resident-load');

interface Row {
  readonly active: number | string;
  readonly totalMs: number | string;
  readonly calls: number | string;
  readonly missed: number | string | null;
}

/** Reads the figures for throttling. */
export class HealthReader {
  readonly #connections: MysqlConnections;
  readonly #replication: ReplicationReader;
  #user: string | undefined;

  constructor(connections: MysqlConnections) {
    this.#connections = connections;
    this.#replication = new ReplicationReader(connections);
  }

  async read(): Promise<ServerHealth> {
    const { known, running, lagMs } = await this.#replication.read();
    const load = await this.#load();
    return {
      lagMs: known ? lagMs : null,
      replaying: running,
      active: Number(load?.active ?? 0),
      // Waits for rows are not for the disk, and of those the server shows none by session.
      ioWaiting: 0,
      statements:
        load === undefined || Number(load.calls) === 0
          ? null
          : { ms: Number(load.totalMs), calls: Number(load.calls), reads: Number(load.missed ?? 0) },
    };
  }

  /** Undefined where statements are not counted, or not shown to this user. */
  async #load(): Promise<Row | undefined> {
    this.#user ??= (await this.#connections.query<{ user: string }>(userStatement))[0]?.user ?? '';
    try {
      const [row] = await this.#connections.query<Row>(loadStatement, [this.#user, this.#user, this.#user]);
      return row;
    } catch (error) {
      if (error instanceof ForewarmError && isTakenAway(error.cause)) return undefined;
      throw error;
    }
  }
}
