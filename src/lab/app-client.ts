import { ForewarmError } from '../lib/errors.ts';
import type { IdRange } from './load-pattern.ts';
import { openMysqlClient } from './mysql-app-client.ts';
import { openPostgresClient } from './postgres-app-client.ts';

/** What an application's connection is told. */
export interface AppLogin {
  /** Connection string; user and session's name in it are replaced by the VM's. */
  readonly dsn: string;
  readonly vm: string;
  readonly table: string;
}

/** One connection of an application, which reads ranges of one table by a prepared statement. */
export interface AppClient {
  /** Reads the rows of these ids; the server sends one row. */
  read(ids: IdRange): Promise<void>;
  /** Never rejects. May cut off a read that is in flight. */
  close(): Promise<void>;
}

const openers: Readonly<Record<string, (login: AppLogin) => Promise<AppClient>>> = {
  'postgres:': openPostgresClient,
  'postgresql:': openPostgresClient,
  'mysql:': openMysqlClient,
};

/** Connects by the driver that the connection string's protocol names. */
export async function openAppClient(login: AppLogin): Promise<AppClient> {
  const { protocol } = new URL(login.dsn);
  const open = openers[protocol];
  if (open === undefined) {
    throw new ForewarmError('lab_unavailable', `no application's client speaks ${protocol}`);
  }
  return open(login);
}
