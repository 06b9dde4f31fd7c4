import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type PostgresServer, superuser } from './postgres-server.ts';
import { run } from './run.ts';

/** Of no use in a copy, or harmful. */
const leftOut = new Set(['postmaster.pid', 'postmaster.opts', 'postgresql.conf']);
/** Taken over as empty folders. */
const emptied = ['pg_wal', 'pg_replslot', 'pg_stat_tmp'];

/**
 * Copies a running primary into a new physical standby and starts it. The slot comes first, so that no WAL
 * which the copy needs can be lost.
 */
export async function createStandby(primary: PostgresServer, standby: PostgresServer): Promise<void> {
  await standby.prepareFolders();
  const slot = slotName(standby.name);
  const old = primary.binaries.major < 15;
  const client = await primary.connect();
  try {
    await client.query('SELECT pg_create_physical_replication_slot($1, true)', [slot]);
    // Both ends of the backup must be in one session.
    await client.query(
      old ? `SELECT pg_start_backup('lab', true, false)` : `SELECT pg_backup_start('lab', true)`,
    );
    await copyDataFolder(primary, standby);
    const stop = old ? 'pg_stop_backup(false, false)' : 'pg_backup_stop(false)';
    const { rows } = await client.query<{ labelfile: string }>(`SELECT labelfile FROM ${stop}`);
    await standby.writeDataFile('backup_label', rows[0]?.labelfile ?? '');
  } finally {
    await client.end();
  }
  await standby.writeDataFile('standby.signal', '');
  await standby.configure({
    primary_conninfo: `host=127.0.0.1 port=${primary.port} user=${superuser} application_name=${standby.name}`,
    primary_slot_name: slot,
  });
  await standby.start();
}

/** Slot names are lower case letters, digits and underscores. */
export function slotName(server: string): string {
  return `lab_${server.toLowerCase().replace(/[^a-z0-9_]/g, '_')}`;
}

async function copyDataFolder(primary: PostgresServer, standby: PostgresServer): Promise<void> {
  const [from, to] = [primary.dataDir, standby.dataDir];
  const names = (await readdir(from)).filter((name) => !leftOut.has(name) && !emptied.includes(name));
  const copy = ['-a', '--reflink=auto', '--sparse=auto'];
  await run('cp', [...copy, ...names.map((name) => join(from, name)), to]);
  // The backup protocol wants this one last.
  await run('cp', [...copy, join(from, 'global', 'pg_control'), join(to, 'global')]);
  for (const name of emptied) await standby.makeDataFolder(name);
}
