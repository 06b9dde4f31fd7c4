import mysql from 'mysql2/promise';
import type { AppClient, AppLogin } from './app-client.ts';

/** For MariaDB and MySQL. */
export async function openMysqlClient({ dsn, vm, table }: AppLogin): Promise<AppClient> {
  const { hostname, port, password, pathname } = new URL(dsn);
  const client = await mysql.createConnection({
    host: hostname,
    port: Number(port),
    user: vm,
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    connectTimeout: 10_000,
    connectAttributes: { program_name: vm },
  });
  client.on('error', () => {});
  const text = `SELECT COUNT(*), MAX(filler) FROM ${client.escapeId(table)} WHERE id BETWEEN ? AND ?`;
  return {
    async read(ids) {
      await client.execute(text, [...ids]);
    },
    async close() {
      await client.end().catch(() => client.destroy());
    },
  };
}
