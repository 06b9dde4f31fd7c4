import { readFileSync } from 'node:fs';

/** One statement of sql/postgres/, by the name of its file. */
export interface SqlStatement {
  readonly name: string;
  /**
   * Without the header. `@extschema:NAME@` stands for the schema of that extension in the database the
   * statement runs in; running it where the extension is missing is an `extension_missing` error.
   */
  readonly text: string;
}

// As deep below the package's root from src/ as from dist/.
const folder = new URL('../../../sql/postgres/', import.meta.url);

/** Loads `sql/postgres/<name>.sql`; meant for the top of a module, so that a missing file is seen at the start. */
export function sqlStatement(name: string): SqlStatement {
  return { name, text: stripHeader(readFileSync(new URL(`${name}.sql`, folder), 'utf8')) };
}

/** The file without its leading comment lines and the last semicolon. */
export function stripHeader(source: string): string {
  return source
    .replace(/^(?:\s*--[^\n]*\n)*/, '')
    .trim()
    .replace(/;$/, '');
}

const extensionPattern = /@extschema:([a-z_]+)@/g;

/** The extensions that a statement needs. */
export function extensionsOf(text: string): readonly string[] {
  return [...new Set(Array.from(text.matchAll(extensionPattern), (match) => match[1] ?? ''))];
}

/** Puts the schemas in; `schemas` must have each of `extensionsOf(text)`. */
export function withExtensionSchemas(text: string, schemas: ReadonlyMap<string, string>): string {
  return text.replace(extensionPattern, (_, name: string) => quoteIdentifier(schemas.get(name) ?? name));
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
