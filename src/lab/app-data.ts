import type pg from 'pg';
import { escapeIdentifier } from 'pg';

/** One table of an application, as big as asked for, with a primary key on `id` from 1 to `rowCount`. */
export interface AppTable {
  readonly name: string;
  readonly rowCount: number;
}

/** 34 rows of 240 bytes, item pointer and header included, fill a block of 8 KiB. */
export const rowsPerBlock = 34;
const blockBytes = 8192;

/** The size that the project's figures are given for: a 919 MB table, whose key has 86 MB. */
export const benchTableMb = 919;

/** How many rows make a table of `tableMb` (2^20 bytes each), index not counted. */
export function rowsForTable(tableMb: number): number {
  return Math.round((tableMb * 2 ** 20) / blockBytes) * rowsPerBlock;
}

/**
 * Makes and fills the tables, each in one transaction so that a server with `wal_level=minimal` writes no WAL
 * for them, then freezes them: a standby cannot keep hint bits, and would find no page clean.
 */
export async function fillAppTables(client: pg.Client, tables: readonly AppTable[]): Promise<void> {
  for (const { name, rowCount } of tables) {
    const table = escapeIdentifier(name);
    await client.query('BEGIN');
    await client.query(`CREATE TABLE ${table} (id bigint NOT NULL, filler text NOT NULL)`);
    await client.query(
      `INSERT INTO ${table} SELECT g, lpad(g::text, 192, 'x') FROM generate_series(1::bigint, $1::bigint) AS g`,
      [rowCount],
    );
    await client.query(`ALTER TABLE ${table} ADD PRIMARY KEY (id)`);
    await client.query('COMMIT');
    await client.query(`VACUUM (FREEZE, ANALYZE) ${table}`);
  }
}
