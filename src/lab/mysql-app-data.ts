import type { Connection } from 'mysql2/promise';
import type { AppTable } from './app-data.ts';

export const innodbPageBytes = 16_384;

/** Rows of 219 bytes, InnoDB's own columns included, that a page of 16 KiB gets when they come in key order. */
const rowsPerPage = 69;
const rowsAtOnce = 20_000;

/** How many rows make a table of `tableMb` (2^20 bytes each), its rows and key being one tree. */
export function innodbRowsForTable(tableMb: number): number {
  return Math.round((tableMb * 2 ** 20) / innodbPageBytes) * rowsPerPage;
}

/**
 * Makes and fills the tables, with fresh statistics. Nothing of it is in the binary log: replicas have to be
 * physical copies.
 */
export async function fillInnodbTables(connection: Connection, tables: readonly AppTable[]): Promise<void> {
  await connection.query('SET SESSION sql_log_bin = 0');
  const digits = `(SELECT 0 AS d ${[1, 2, 3, 4, 5, 6, 7, 8, 9].map((d) => `UNION ALL SELECT ${d}`).join(' ')})`;
  await connection.query('CREATE TEMPORARY TABLE numbers (n int PRIMARY KEY)');
  await connection.query(
    `INSERT INTO numbers
     SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d
       FROM ${digits} a, ${digits} b, ${digits} c, ${digits} e, (SELECT 0 AS d UNION ALL SELECT 1) f`,
  );
  for (const { name, rowCount } of tables) {
    const table = connection.escapeId(name);
    await connection.query(
      `CREATE TABLE ${table} (id bigint NOT NULL PRIMARY KEY, filler varchar(192) CHARACTER SET latin1 NOT NULL)`,
    );
    for (let before = 0; before < rowCount; before += rowsAtOnce) {
      await connection.query(
        `INSERT INTO ${table} SELECT n + ?, LPAD(n + ?, 192, 'x') FROM numbers WHERE n < ? ORDER BY n`,
        [before + 1, before + 1, Math.min(rowsAtOnce, rowCount - before)],
      );
    }
    await connection.query(`ANALYZE TABLE ${table}`);
  }
  await connection.query('DROP TEMPORARY TABLE numbers');
  await connection.query('SET SESSION sql_log_bin = 1');
}
