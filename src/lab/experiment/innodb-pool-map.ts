import { statSync } from 'node:fs';
import { innodbPageBytes } from '../mysql-app-data.ts';
import type { MysqlServer } from '../mysql-server.ts';
import { defaultDatabase } from '../mysql-settings.ts';
import { type HeatScale, type PoolMap, relationMap } from './pool-map.ts';

export const innodbHeat: HeatScale = {
  names: ['old', 'young'],
  ranks: 'the old and of the young part',
  explained:
    "Dark pages are in the young part of InnoDB's list, light ones in the old part, which goes first when room is needed. The servers are physical copies, so a page is at the same place in each. Forewarm is told how many pages of an index the source holds, not which: it reads the whole index where that is half of it or more, else as many pages from the index's newest end; and the target's own use makes them young.",
};

/** Looks into a server's pool as root: one walk. The file's order is the key's, for the rows came in that order. */
export async function mapInnodbPool(
  server: MysqlServer,
  tables: readonly { readonly name: string; readonly file: string }[],
): Promise<PoolMap> {
  // Pages of a table that nobody has opened since the start have no name there.
  for (const { name } of tables) await server.query('SELECT 1 FROM ?? LIMIT 0', [name]);
  const nameOf = (table: string) => `\`${defaultDatabase}\`.\`${table}\``;
  const rows = await server.query<{ name: string; page: number; young: number; used: number | string }>(
    `SELECT TABLE_NAME AS name, PAGE_NUMBER AS page, CAST(IS_OLD AS CHAR) IN ('NO', '0') AS young,
            ACCESS_TIME AS used
       FROM information_schema.INNODB_BUFFER_PAGE WHERE PAGE_TYPE = 'INDEX' AND TABLE_NAME IN (?)`,
    [tables.map(({ name }) => nameOf(name))],
  );
  return tables.map(({ name, file }) => {
    const own = rows.filter((row) => row.name === nameOf(name));
    const map = relationMap(
      { name, kind: 'table', sizeBlocks: Math.ceil(statSync(file).size / innodbPageBytes) },
      {
        blocks: own.map(({ page }) => Number(page)),
        heats: own.map(({ young }) => 1 + Number(young)),
        maxHeat: innodbHeat.names.length,
      },
    );
    return { ...map, usedSince: new Map(own.map(({ page, used }) => [Number(page), Number(used)])) };
  });
}
