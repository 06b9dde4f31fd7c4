import { containersWanted } from '../../src/lab/containers/wanted.ts';
import { locateMysql } from '../../src/lab/mysql-binaries.ts';
import type { MysqlKind } from '../../src/lab/mysql-kinds.ts';

/** The kinds that this run tests; one that cannot be had here is named with the reason. TEST_MYSQL_KINDS chooses. */
export const mysqlKinds: readonly MysqlKind[] = await available();

async function available(): Promise<MysqlKind[]> {
  // They have no provider in containers yet.
  if (containersWanted()) return [];
  const chosen = (process.env['TEST_MYSQL_KINDS'] ?? 'mariadb,mysql').split(',').map((kind) => kind.trim());
  const kinds = (['mariadb', 'mysql'] as const).filter((kind) => chosen.includes(kind));
  const found: MysqlKind[] = [];
  for (const kind of kinds) {
    try {
      await locateMysql(kind);
      found.push(kind);
    } catch (error) {
      if (kind === 'mariadb') throw error;
      console.warn(`${kind} is not tested: ${error instanceof Error ? error.message : error}`);
    }
  }
  return found;
}
