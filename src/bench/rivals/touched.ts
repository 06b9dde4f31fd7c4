import { join } from 'node:path';
import { innodbOf } from '../../lab/experiment/innodb-database.ts';
import { postgresOf } from '../../lab/experiment/postgres-database.ts';
import { type Site, tableOf, vms } from '../../lab/experiment/site.ts';
import { defaultDatabase } from '../../lab/mysql-settings.ts';
import type { Blocks } from '../worth.ts';
import { postgresPagesOf, touchedPages } from './index-pages.ts';
import { innodbPagesOf } from './innodb-pages.ts';

const table = tableOf(vms.mover);

/** Gives the blocks of the mover's table and key that reads of rows touch; these as `TouchedBlocks` tells them. */
export async function touchOf(site: Site): Promise<(rowBlocks: readonly number[]) => Blocks> {
  if (site.options.engine !== 'postgres') {
    const pages = innodbPagesOf(join(innodbOf(site.source).dataDir, defaultDatabase, `${table}.ibd`));
    return (rowBlocks) => new Map([[table, touchedPages(pages, rowBlocks)]]);
  }
  const primary = postgresOf(site.database.server('primary'));
  await primary.query('CREATE EXTENSION IF NOT EXISTS pageinspect');
  const pages = await postgresPagesOf(primary, table);
  return (rowBlocks) =>
    new Map([
      [table, new Set(rowBlocks)],
      [`${table}_pkey`, touchedPages(pages, rowBlocks)],
    ]);
}
