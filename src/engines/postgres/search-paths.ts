import type { WrittenName } from '../../attribution/sql-text.ts';
import { tokenize } from '../../attribution/sql-tokens.ts';
import type { PostgresConnections } from './connections.ts';
import type { Catalog } from './relation-stats.ts';
import { sqlStatement } from './sql.ts';

const settingsStatement = sqlStatement('search-path-settings');

interface SettingRow {
  readonly user: string;
  readonly database: string;
  readonly path: string;
}

const settingsLifeMs = 300_000;
const defaultPath = ['$user', 'public'];
const candidateLimit = 24;

/** The schemas of a `search_path` setting as it is written. */
export function parsePath(setting: string): string[] {
  return tokenize(setting)
    .filter((token) => token.type === 'name' || token.type === 'quoted' || token.type === 'string')
    .map((token) => token.value);
}

/** Search paths that sessions start with: of the role in the database, the role, the database, the server. */
export class SearchPathSettings {
  readonly #connections: PostgresConnections;
  readonly #nowMs: () => number;
  #rows: readonly SettingRow[] = [];
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(connections: PostgresConnections, nowMs: () => number) {
    this.#connections = connections;
    this.#nowMs = nowMs;
  }

  async of(user: string, database: string): Promise<readonly string[]> {
    if (this.#nowMs() - this.#readAtMs > settingsLifeMs) {
      this.#rows = await this.#connections.query<SettingRow>(
        this.#connections.mainDatabase,
        settingsStatement,
      );
      this.#readAtMs = this.#nowMs();
    }
    const find = (role: string, base: string) =>
      this.#rows.find((row) => row.user === role && row.database === base)?.path;
    const setting = find(user, database) ?? find(user, '') ?? find('', database) ?? find('', '');
    return (setting === undefined ? defaultPath : parsePath(setting)).map((schema) =>
      schema === '$user' ? user : schema,
    );
  }
}

export interface CandidateOptions {
  readonly catalog: Catalog;
  readonly names: readonly WrittenName[];
  /** What sessions of that role start with. */
  readonly settings: readonly string[];
  /** What sessions of that role were seen to set, the latest first. */
  readonly seen: readonly (readonly string[])[];
  /** Schemas of functions that the text may call, so that it can be parsed at all. */
  readonly functionSchemas: readonly string[];
  /** Schemas that locks of such sessions point to; they come first. */
  readonly locked: readonly string[];
  /** Whether a relation was accessed by anybody; what was not is tried last. */
  readonly touched: (oid: string) => boolean;
}

/**
 * Search paths worth trying for a text: one for each way in which its names can be resolved, the most
 * likely first. More than one only where names without a schema exist in several.
 */
export function candidatePaths(options: CandidateOptions): string[][] {
  const { catalog, settings, seen } = options;
  const ambiguous = new Map<string, readonly string[]>();
  const inUse = new Set<string>();
  for (const { schema, name } of options.names) {
    const places = schema === undefined ? catalog.schemasOf(name) : [];
    if (places.length > 0) ambiguous.set(name, places);
    for (const place of places) {
      const relation = catalog.find(place, name);
      // Views and partitioned tables have no counters of their own.
      const uncounted = relation?.kind === 'v' || relation?.kind === 'p';
      if (relation !== undefined && (uncounted || options.touched(relation.oid))) inUse.add(place);
    }
  }
  const schemas = [...new Set([...options.locked, ...inUse, ...[...ambiguous.values()].flat()])].filter(
    (schema) => schema !== 'pg_catalog' && schema !== 'information_schema',
  );
  const tail = [...settings, ...seen.flat(), ...schemas, ...options.functionSchemas, 'public'];
  const tried: (readonly string[])[] = [
    settings,
    ...seen,
    ...options.locked.map((schema) => [schema]),
    ...schemas.map((schema) => [schema]),
  ];
  const found = new Map<string, string[]>();
  for (const head of tried) {
    const path = [...new Set([...head, ...tail])];
    const resolution = [...ambiguous].map(([, places]) => path.find((schema) => places.includes(schema)));
    const key = JSON.stringify(resolution);
    if (!found.has(key)) found.set(key, path);
    if (found.size >= candidateLimit) break;
  }
  return [...found.values()];
}
