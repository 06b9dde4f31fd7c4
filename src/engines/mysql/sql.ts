import { loadStatement, type SqlStatement } from '../../lib/sql-file.ts';

export type { SqlStatement };

/** Loads `sql/mysql/<name>.sql`. */
export const sqlStatement = (name: string): SqlStatement => loadStatement('mysql', name);

export function quoteIdentifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
