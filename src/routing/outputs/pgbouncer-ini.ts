import { ForewarmError } from '../../lib/errors.ts';

/** Parameters of a `[databases]` entry that say where and as whom to connect; the others are the entry's own. */
export const connectionParameters = [
  'host',
  'port',
  'dbname',
  'user',
  'password',
  'auth_user',
  'auth_dbname',
  'application_name',
  'connect_query',
  'pool_size',
] as const;

export type ConnectionParameters = ReadonlyMap<string, string>;

interface Entry {
  readonly value: string;
  /** Where the value stands in the text. */
  readonly start: number;
}

/**
 * The ini's text with these parameters in the `[databases]` entry of that name. Everything else stays byte for
 * byte, comments, order and the entry's other parameters too; a parameter that the entry lacks is put at its end.
 * Throws `output_failed` where there is no such entry: it may stand in an included file.
 */
export function rewriteEntry(ini: string, database: string, parameters: ConnectionParameters): string {
  const entries = entriesOf(ini, database);
  if (entries.length === 0) {
    throw new ForewarmError('output_failed', `[databases] has no entry ${database}`, {
      hint: 'Name the entry by pgbouncer.databases (--pgbouncer-databases), and the file that it stands in by --pgbouncer.',
    });
  }
  let text = ini;
  // From the end, so that the places of those before stay right.
  for (const { value, start } of entries.reverse())
    text = text.slice(0, start) + rewriteValue(value, parameters) + text.slice(start + value.length);
  return text;
}

/** PgBouncer takes the last of several entries of one name; all are changed. */
function entriesOf(ini: string, database: string): Entry[] {
  const token =
    /\s+|[#;][^\n]*|\[(?<section>[^\]\n]*)\]|(?<key>"(?:[^"\n]|"")*"|[\w.*-]+)[ \t]*=[ \t]*(?<value>[^\n]*)|[^\n]+/gy;
  const found: Entry[] = [];
  let section = '';
  for (const match of ini.matchAll(token)) {
    const { key, value } = match.groups ?? {};
    section = match.groups?.['section'] ?? section;
    if (section !== 'databases' || key === undefined || value === undefined) continue;
    const name = key.startsWith('"') ? key.slice(1, -1).replaceAll('""', '"') : key;
    if (name !== database) continue;
    found.push({ value: value.trimEnd(), start: match.index + match[0].length - value.length });
  }
  return found;
}

function rewriteValue(value: string, parameters: ConnectionParameters): string {
  const missing = new Map(parameters);
  const pair = /([^\s=]+)(\s*=\s*)('(?:[^']|'')*'|[^ ]*)/g;
  const changed = value.replaceAll(pair, (whole: string, key: string, equals: string, written: string) => {
    const wanted = parameters.get(key);
    if (wanted === undefined) return whole;
    missing.delete(key);
    return `${key}${equals}${quoted(wanted, written.startsWith("'"))}`;
  });
  return [changed, ...[...missing].map(([key, wanted]) => `${key}=${quoted(wanted)}`)]
    .filter(Boolean)
    .join(' ');
}

function quoted(value: string, always = false): string {
  return always || /[\s']/.test(value) ? `'${value.replaceAll("'", "''")}'` : value;
}
