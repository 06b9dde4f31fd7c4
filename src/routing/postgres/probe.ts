import pg from 'pg';
import { loadStatement } from '../../lib/sql-file.ts';
import type { Probe, Shown } from '../driver.ts';
import { endOfRecord, parseLsn, type WalPosition } from './position.ts';

const positionStatement = loadStatement('postgres', 'position').text;
const endSessionStatement = loadStatement('postgres', 'end-session').text;

/** A server that does not answer never takes leave either: its socket is closed after this. */
const farewellMs = 1_000;

interface PositionRow {
  readonly in_recovery: boolean;
  readonly lsn: string | null;
  readonly system_id: string;
  readonly wal_block_bytes: number;
}

/** Connects as the application does, apart from its pool. Rejects within `connectMs`. */
export async function openPostgresProbe(config: pg.ClientConfig, connectMs: number): Promise<Probe> {
  const client = new pg.Client({ ...config, types: undefined, connectionTimeoutMillis: connectMs });
  // The next question says that it is gone.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    void client.end().catch(() => {});
    throw error;
  }
  // The driver wants to be asked one thing at a time.
  let turn: Promise<unknown> = Promise.resolve();
  const query = <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) => {
    const result = turn.then(() => client.query<Row>(text, values));
    turn = result.catch(() => {});
    return result;
  };
  const ask = async (): Promise<WalPosition | null> => {
    const { rows } = await query<PositionRow>(positionStatement);
    const row = rows[0];
    if (row === undefined || row.lsn === null) return null;
    const lsn = parseLsn(row.lsn);
    return {
      lsn: row.in_recovery ? lsn : endOfRecord(lsn, row.wal_block_bytes),
      systemId: row.system_id,
      isInRecovery: row.in_recovery,
    };
  };
  return {
    position: ask,
    async shows(position): Promise<Shown> {
      const seen = position as WalPosition | null;
      const here = await ask();
      if (seen === null || here === null)
        return { is: 'unknown', why: 'a server tells no position in the WAL' };
      if (seen.systemId !== here.systemId) {
        return {
          is: 'unknown',
          why: 'the two servers are no physical copies of each other, so that their positions say nothing',
        };
      }
      return { is: here.lsn >= seen.lsn ? 'yes' : 'no' };
    },
    async ping() {
      await query('SELECT 1');
    },
    async kill(sessionId) {
      await query(endSessionStatement, [sessionId]);
    },
    close() {
      void client.end().catch(() => {});
      setTimeout(() => client.connection.stream.destroy(), farewellMs).unref();
    },
  };
}
