import { ForewarmError } from '../lib/errors.ts';
import { copyDataFolder } from './mysql-data-folder.ts';
import { mysqlTraits } from './mysql-kinds.ts';
import type { MysqlServer } from './mysql-server.ts';
import { until } from './run.ts';

/** Starts an empty server that applies all that the primary's binary log holds: pages of its own. */
export async function createLogicalReplica(primary: MysqlServer, replica: MysqlServer): Promise<void> {
  await replica.initialize();
  await replica.start();
  await follow(primary, replica);
}

/**
 * Copies the primary's data folder into a new server and starts it: the same pages at the same places. The
 * primary is stopped for as long as the copy takes, and its clients lose their connections.
 */
export async function createPhysicalCopy(primary: MysqlServer, replica: MysqlServer): Promise<void> {
  const { adoptPosition, leftOut } = mysqlTraits[primary.kind];
  await replica.prepareFolders();
  const wasUp = primary.pid !== undefined;
  await primary.stop();
  try {
    await copyDataFolder(primary.dataDir, replica.dataDir, { leftOut });
  } finally {
    if (wasUp) await primary.start();
  }
  await replica.start();
  for (const statement of adoptPosition) await replica.query(statement);
  await follow(primary, replica);
}

async function follow(primary: MysqlServer, replica: MysqlServer): Promise<void> {
  const traits = mysqlTraits[replica.kind];
  await replica.query(traits.follow(primary.port));
  await replica.query(traits.startReplica);
}

/**
 * Resolves when the replica has applied what the primary has written until now. Rejects when applying has
 * failed, or after `timeoutMs`.
 */
export async function waitUntilApplied(
  primary: MysqlServer,
  replica: MysqlServer,
  timeoutMs: number,
): Promise<void> {
  const { position, waitForPosition, replicaStatus } = mysqlTraits[primary.kind];
  const [written] = await primary.query<{ position: string }>(position);
  let ioError = '';
  const connection = await replica.connect();
  try {
    await until(
      `${replica.name} to apply all of ${primary.name}`,
      async () => {
        const [rows] = await connection.query(waitForPosition, [written?.position ?? '', 0.2]);
        if ((rows as { outcome: number | null }[])[0]?.outcome === 0) return true;
        const [[status]] = (await connection.query(replicaStatus)) as unknown as [ReplicaStatus[], unknown];
        if (status === undefined || status.Last_SQL_Errno !== 0) {
          throw new ForewarmError(
            'lab_unavailable',
            `${replica.name} does not apply: ${status?.Last_SQL_Error ?? 'it follows nobody'}`,
          );
        }
        ioError = status.Last_IO_Error;
        return undefined;
      },
      { timeoutMs, hint: () => ioError || replica.log().trim().split('\n').slice(-3).join('\n') },
    );
  } finally {
    await connection.end();
  }
}

interface ReplicaStatus {
  readonly Last_IO_Error: string;
  readonly Last_SQL_Errno: number;
  readonly Last_SQL_Error: string;
}
