import { readFileSync } from 'node:fs';

/** One statement of `sql/`, by the name of its file, without the header. */
export interface SqlStatement {
  readonly name: string;
  readonly text: string;
}

// As deep below the package's root from src/ as from dist/.
const root = new URL('../../sql/', import.meta.url);

/** Loads `sql/<folder>/<name>.sql`; meant for the top of a module, so that a missing file is seen at the start. */
export function loadStatement(folder: 'postgres' | 'mysql', name: string): SqlStatement {
  return { name, text: stripHeader(readFileSync(new URL(`${folder}/${name}.sql`, root), 'utf8')) };
}

/** The file without its leading comment lines and the last semicolon. */
export function stripHeader(source: string): string {
  return source
    .replace(/^(?:\s*--[^\n]*\n)*/, '')
    .trim()
    .replace(/;$/, '');
}
