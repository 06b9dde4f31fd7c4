import pg, { escapeIdentifier } from 'pg';
import type { AppClient, AppLogin } from './app-client.ts';

export async function openPostgresClient({ dsn, vm, table }: AppLogin): Promise<AppClient> {
  const url = new URL(dsn);
  url.username = vm;
  url.searchParams.set('application_name', vm);
  const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 10_000 });
  client.on('error', () => {});
  await client.connect();
  const text = `SELECT count(*), max(filler) FROM ${escapeIdentifier(table)} WHERE id BETWEEN $1 AND $2`;
  return {
    async read(ids) {
      await client.query({ name: 'read', text, values: [...ids] });
    },
    async close() {
      await client.end().catch(() => {});
    },
  };
}
