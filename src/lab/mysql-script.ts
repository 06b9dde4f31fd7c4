import type { Connection } from 'mysql2/promise';

/** The statements of a script, as the command-line client divides it: by `;` at a line's end, or as DELIMITER says. */
export function statementsOf(script: string): string[] {
  const statements: string[] = [];
  let delimiter = ';';
  let lines: string[] = [];
  for (const line of script.split('\n')) {
    const change = /^\s*DELIMITER\s+(\S+)\s*$/i.exec(line);
    if (change !== null) {
      delimiter = change[1]!;
      continue;
    }
    if (/^\s*(--.*)?$/.test(line)) continue;
    const text = line.trimEnd();
    const ends = text.endsWith(delimiter);
    lines.push(ends ? text.slice(0, -delimiter.length) : text);
    if (!ends) continue;
    statements.push(lines.join('\n'));
    lines = [];
  }
  return lines.length === 0 ? statements : [...statements, lines.join('\n')];
}

/** Runs a script such as `sql/mysql/setup.sql`; rejects with the first error of the server. */
export async function runScript(connection: Connection, script: string): Promise<void> {
  for (const statement of statementsOf(script)) await connection.query(statement);
}
