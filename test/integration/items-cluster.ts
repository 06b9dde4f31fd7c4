import {
  type PostgresCluster,
  type PostgresClusterOptions,
  startPostgresCluster,
} from '../../src/lab/postgres-cluster.ts';
import { setupSql } from './postgres-engines.ts';
import { onPostgres, RealAgents } from './real-agents.ts';
import { testServers } from './servers.ts';

/** The VM that reads `items`, by its role. */
export const itemsVms = [{ vm: 'app1', user: 'app1' }];

/** A primary and its standbys db1 and db2 with pools of 32 MB and a table `items` of about a kilobyte a row; no agent runs yet. */
export async function startItemsCluster({
  prefix,
  rowCount,
  ...options
}: Pick<PostgresClusterOptions, 'owned' | 'flavour'> & {
  /** Of the agents' subjects. */
  readonly prefix: string;
  readonly rowCount: number;
}): Promise<{ cluster: PostgresCluster; agents: RealAgents }> {
  const cluster = await startPostgresCluster({
    ...options,
    replicas: ['db1', 'db2'],
    settings: { shared_buffers: '32MB' },
    load: async (client) => {
      await client.query(setupSql);
      await client.query(`
        CREATE TABLE items (id int PRIMARY KEY, pad text);
        INSERT INTO items SELECT g, repeat('x', 900) FROM generate_series(1, ${rowCount}) g`);
      await client.query('VACUUM ANALYZE');
    },
  });
  await cluster.addRole('app1');
  const url = testServers().nats;
  return { cluster, agents: await RealAgents.connect({ url, prefix, databaseOf: onPostgres(cluster) }) };
}
