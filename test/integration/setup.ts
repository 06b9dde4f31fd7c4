import type { TestProject } from 'vitest/node';
import { containersWanted } from '../../src/lab/containers/wanted.ts';
import { startNats } from '../../src/lab/nats-server.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { startPostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { localOnly } from '../local-only.ts';

/** Addresses of the servers that all integration tests share. */
export interface TestServers {
  /** Superuser connection strings: a primary and its two physical standbys. */
  readonly postgres: { readonly primary: string; readonly db1: string; readonly db2: string };
  readonly nats: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers;
  }
}

/**
 * Starts one primary, two standbys and NATS for the whole run. TEST_PG_URI (primary, db1, db2, by commas) and
 * TEST_NATS_URL name running servers instead; TEST_SERVERS=containers starts them in containers.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const owned = new OwnedProcesses();
  if (containersWanted()) {
    const reasons = Object.entries(localOnly).map(([name, reason]) => `${name} (${reason})`);
    console.warn(`Left out in containers: all of test/faults, and ${reasons.join(', ')}`);
  }
  try {
    const [postgres, nats] = await Promise.all([
      postgresServers(owned),
      process.env['TEST_NATS_URL'] ?? startNats({ owned }).then((server) => server.url),
    ]);
    project.provide('servers', { postgres, nats });
  } catch (error) {
    await owned.dispose();
    throw error;
  }
  return () => owned.dispose();
}

async function postgresServers(owned: OwnedProcesses): Promise<TestServers['postgres']> {
  const given = process.env['TEST_PG_URI'];
  if (given) {
    const [primary, db1, db2, ...more] = given.split(',').map((url) => url.trim());
    if (!primary || !db1 || !db2 || more.length > 0) {
      throw new Error('TEST_PG_URI wants three connection strings by commas: primary, db1, db2');
    }
    return { primary, db1, db2 };
  }
  const cluster = await startPostgresCluster({
    owned,
    replicas: ['db1', 'db2'],
    settings: { shared_buffers: '64MB' },
  });
  return {
    primary: cluster.primary.url(),
    db1: cluster.server('db1').url(),
    db2: cluster.server('db2').url(),
  };
}
