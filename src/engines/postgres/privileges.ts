import type { PostgresConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const privilegesStatement = sqlStatement('privileges');

/** What the role may do in one database, and the extensions there. */
export interface Privileges {
  readonly role: string;
  readonly superuser: boolean;
  /** pg_monitor. */
  readonly monitors: boolean;
  /** pg_read_all_data. */
  readonly readsAll: boolean;
  /** `forewarm.read_through` of setup.sql is there, and may be executed. */
  readonly readsThrough: boolean;
  /** Versions by name. */
  readonly extensions: ReadonlyMap<string, string>;
  has(extension: string): boolean;
  /** The extension is there, and its functions may be executed. */
  can(extension: string): boolean;
}

interface Row {
  readonly role: string;
  readonly superuser: boolean;
  readonly monitors: boolean;
  readonly reads_all: boolean;
  readonly reads_through: boolean;
  readonly extensions: Record<string, string>;
  readonly executes: Record<string, boolean>;
}

export async function readPrivileges(
  connections: PostgresConnections,
  database: string,
): Promise<Privileges> {
  const [row] = await connections.query<Row>(database, privilegesStatement);
  const extensions = new Map(Object.entries(row?.extensions ?? {}));
  return {
    role: row?.role ?? '',
    superuser: row?.superuser ?? false,
    monitors: row?.monitors ?? false,
    readsAll: row?.reads_all ?? false,
    readsThrough: row?.reads_through ?? false,
    extensions,
    has: (extension) => extensions.has(extension),
    can: (extension) => extensions.has(extension) && row?.executes[extension] !== false,
  };
}
