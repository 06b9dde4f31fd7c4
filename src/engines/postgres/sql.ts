import { loadStatement, type SqlStatement } from '../../lib/sql-file.ts';

export type { SqlStatement };

/**
 * Loads `sql/postgres/<name>.sql`. `@extschema:NAME@` in it stands for the schema of that extension in the
 * database the statement runs in; running it where the extension is missing is an `extension_missing` error.
 */
export const sqlStatement = (name: string): SqlStatement => loadStatement('postgres', name);

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
