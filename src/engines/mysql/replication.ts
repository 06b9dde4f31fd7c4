import { ForewarmError } from '../../lib/errors.ts';
import type { MysqlConnections } from './connections.ts';
import { isDenied } from './error-numbers.ts';

export interface Replication {
  /** False: the user may not see it. */
  readonly known: boolean;
  readonly replica: boolean;
  /** All of its sources' changes come in and are applied. */
  readonly running: boolean;
  /** Of the slowest source; null while one is stopped or broken. */
  readonly lagMs: number | null;
}

/** One row a source; none on a primary. Seconds are the finest that the status tells. */
export async function readReplication(connections: MysqlConnections): Promise<Replication> {
  const { dialect } = await connections.server();
  const { io, sql, behind } = dialect.replicaColumns;
  let rows: Readonly<Record<string, unknown>>[];
  try {
    rows = await connections.session({}, (session) =>
      session.run<Record<string, unknown>>(dialect.replicaStatus),
    );
  } catch (error) {
    if (!(error instanceof ForewarmError) || !isDenied(error.cause)) throw error;
    return { known: false, replica: false, running: true, lagMs: null };
  }
  const running = rows.every((row) => row[io] === 'Yes' && row[sql] === 'Yes');
  const lags = rows.map((row) => (row[behind] === null ? Number.NaN : Number(row[behind]) * 1_000));
  const lagMs = Math.max(0, ...lags);
  return { known: true, replica: rows.length > 0, running, lagMs: Number.isNaN(lagMs) ? null : lagMs };
}
