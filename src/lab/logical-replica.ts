import { defaultDatabase, type PostgresServer, superuser } from './postgres-server.ts';
import { slotName } from './postgres-standby.ts';
import { until } from './run.ts';

/**
 * Starts an empty server that subscribes to all tables of the primary's database `app`. `schema` makes the
 * tables, for logical replication carries rows only; further roles must be made there too.
 */
export async function createLogicalReplica(
  primary: PostgresServer,
  subscriber: PostgresServer,
  options: { schema: string; publication?: string },
): Promise<void> {
  const publication = options.publication ?? 'lab';
  const published = await primary.query('SELECT 1 FROM pg_publication WHERE pubname = $1', [publication]);
  if (published.length === 0) await primary.query(`CREATE PUBLICATION "${publication}" FOR ALL TABLES`);
  await subscriber.initialize();
  await subscriber.start();
  await subscriber.query(`CREATE DATABASE "${defaultDatabase}"`, [], { database: 'postgres' });
  await subscriber.query(options.schema);
  const connection = `host=127.0.0.1 port=${primary.port} user=${superuser} dbname=${defaultDatabase}`;
  await subscriber.query(
    `CREATE SUBSCRIPTION ${slotName(subscriber.name)} CONNECTION '${connection}' PUBLICATION "${publication}"`,
  );
  await until(
    `${subscriber.name} to copy its tables`,
    async () => {
      const [state] = await subscriber.query<{ busy: boolean }>(
        `SELECT EXISTS (SELECT FROM pg_subscription_rel WHERE srsubstate NOT IN ('r', 's')) AS busy`,
      );
      return state?.busy === false ? true : undefined;
    },
    { timeoutMs: 60_000, everyMs: 100, hint: () => subscriber.log().trim().split('\n').slice(-3).join('\n') },
  );
}
