import { performance } from 'node:perf_hooks';
import { ForewarmError } from '../../lib/errors.ts';
import type { MysqlConnections } from './connections.ts';
import { isDenied, isTakenAway } from './error-numbers.ts';
import { GtidLag } from './gtid-lag.ts';
import { sqlStatement } from './sql.ts';
import type { Dialect } from './versions.ts';

const applierStatement = sqlStatement('applier-lag');

export interface Replication {
  /** False: the user may not see it. */
  readonly known: boolean;
  readonly replica: boolean;
  /** All of its sources' changes come in and are applied; one that is only connecting does not count. */
  readonly running: boolean;
  /** Of the slowest source; null while one is stopped or broken. */
  readonly lagMs: number | null;
}

type Row = Readonly<Record<string, unknown>>;

interface ApplierRow {
  readonly channel: string;
  readonly applied: number | string | null;
  readonly ageMs: number | string | null;
}

/** The state of replication, and its lag: by what came in and is not applied, and by the server's own seconds. */
export class ReplicationReader {
  readonly #connections: MysqlConnections;
  readonly #bySource = new Map<string, GtidLag>();

  constructor(connections: MysqlConnections) {
    this.#connections = connections;
  }

  /** One row a source; none on a primary. */
  async read(): Promise<Replication> {
    const { dialect } = await this.#connections.server();
    const rows = await this.#statusRows(dialect);
    if (rows === undefined) return { known: false, replica: false, running: true, lagMs: null };
    const { io, sql } = dialect.replicaColumns;
    const running = rows.every((row) => row[io] === 'Yes' && row[sql] === 'Yes');
    const appliers = rows.length > 0 && dialect.appliersTell ? await this.#appliers() : new Map();
    const lags = rows.map((row) => this.#lagOf(row, dialect, appliers));
    const lagMs = lags.some((lag) => lag === null) ? null : Math.max(0, ...lags.map(Number));
    return { known: true, replica: rows.length > 0, running, lagMs };
  }

  async #statusRows(dialect: Dialect): Promise<readonly Row[] | undefined> {
    try {
      return await this.#connections.session({ as: 'replica-status' }, (session) =>
        session.run<Row>(dialect.replicaStatus),
      );
    } catch (error) {
      if (!(error instanceof ForewarmError) || !isDenied(error.cause)) throw error;
      return undefined;
    }
  }

  /** By source; empty where they may not be seen. */
  async #appliers(): Promise<ReadonlyMap<string, ApplierRow>> {
    try {
      const rows = await this.#connections.query<ApplierRow>(applierStatement);
      return new Map(rows.map((row) => [row.channel, row]));
    } catch (error) {
      if (!(error instanceof ForewarmError) || !isTakenAway(error.cause)) throw error;
      return new Map();
    }
  }

  #lagOf(row: Row, dialect: Dialect, appliers: ReadonlyMap<string, ApplierRow>): number | null {
    const { behind, source, received, applied } = dialect.replicaColumns;
    if (row[behind] === null) return null;
    const statusMs = Number(row[behind]) * 1_000;
    const name = String(row[source] ?? '');
    const applier = appliers.get(name);
    if (applier !== undefined && applier.applied !== null) {
      return Number(applier.applied) === 1 ? 0 : Math.max(statusMs, Number(applier.ageMs ?? 0), 1);
    }
    const [came, done] = [received, applied].map((column) => String((column && row[column]) ?? ''));
    if (!came || done === undefined) return statusMs;
    const known = this.#bySource.get(name) ?? new GtidLag();
    this.#bySource.set(name, known);
    return Math.max(statusMs, known.lookMs(came, done, performance.now()));
  }
}
