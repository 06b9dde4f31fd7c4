import pg from 'pg';
import { expect, inject } from 'vitest';
import type { TestServers } from './setup.ts';

/** The servers of this run, as the global setup gave them. */
export function testServers(): TestServers {
  return inject('servers');
}

/** The connection string for another role, database or application name. */
export function urlFor(
  base: string,
  options: { role?: string; database?: string; applicationName?: string } = {},
): string {
  const url = new URL(base);
  if (options.role !== undefined) url.username = options.role;
  if (options.database !== undefined) url.pathname = `/${encodeURIComponent(options.database)}`;
  if (options.applicationName !== undefined)
    url.searchParams.set('application_name', options.applicationName);
  return url.href;
}

/** Runs `work` on a connection of its own, which is closed whatever happens. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Fails when sessions with this application name are still open at a server after a while. */
export async function expectNoSessions(url: string, applicationName: string): Promise<void> {
  await withClient(url, async (client) => {
    await expect
      .poll(
        async () => {
          const { rows } = await client.query<{ pid: number; query: string }>(
            'SELECT pid, left(query, 80) AS query FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()',
            [applicationName],
          );
          return rows;
        },
        { message: `sessions of ${applicationName} left open` },
      )
      .toEqual([]);
  });
}

/** Resolves when both standbys have replayed all that the primary has written. */
export async function waitForReplay(): Promise<void> {
  const { postgres } = testServers();
  const lsn = await withClient(postgres.primary, async (client) => {
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    return rows[0]?.lsn;
  });
  for (const url of [postgres.db1, postgres.db2]) {
    await withClient(url, async (client) => {
      await expect
        .poll(
          async () => {
            const text = 'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done';
            return (await client.query<{ done: boolean }>(text, [lsn])).rows[0]?.done;
          },
          { timeout: 20_000, interval: 20 },
        )
        .toBe(true);
    });
  }
}
