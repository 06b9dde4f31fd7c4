import { readFile } from 'node:fs/promises';
import { systemClock } from '../../lib/clock.ts';
import { ForewarmError } from '../../lib/errors.ts';
import { replaceFile } from '../../lib/replace-file.ts';
import type { ReplicaValues, RouteOutput } from './output.ts';
import { PgBouncerConsole } from './pgbouncer-console.ts';
import { type ConnectionParameters, connectionParameters, rewriteEntry } from './pgbouncer-ini.ts';
import { probeServer } from './server-probe.ts';

const probeMs = 3_000;
const defaultPort = 5432;
/** A server that takes no logins must not keep us from leaving it. */
const settleMs = 3_000;
const lookEveryMs = 5;
const settledLooks = 6;

export interface PgBouncerOptions {
  /** The ini, or the file that it includes, with the `[databases]` section. */
  readonly ini: string;
  readonly admin: string;
  readonly databases: readonly string[];
  readonly replicas: ReplicaValues;
}

/**
 * PgBouncer's entries for a VM. Its clients stay connected: a pooled connection is closed once its client has
 * ended its transaction, or its session where sessions are pooled. A replica that does not answer is not gone to.
 */
export function createPgBouncerOutput(options: PgBouncerOptions): RouteOutput {
  // What an entry `*` or other than a host and a port is run with cannot be seen.
  let isTaken = !options.databases.includes('*');
  return {
    name: '--pgbouncer',
    async apply(route) {
      const parameters = parametersOf(route.replica, options.replicas);
      const hosts = (parameters.get('host') ?? '').split(',');
      const port = Number(parameters.get('port') ?? defaultPort);
      await Promise.any(hosts.map((host) => probeServer(host, port, probeMs))).catch((error) => {
        throw new ForewarmError(
          'output_failed',
          `replica ${route.replica} is not gone to: ${(error as AggregateError).errors[0].message}`,
          { hint: 'PgBouncer keeps the server that it has.' },
        );
      });
      if (await rewriteFile(options, parameters)) isTaken = false;
      await PgBouncerConsole.use(options.admin, (console) => take(console, { options, parameters, isTaken }));
      isTaken = true;
    },
  };
}

/** Has PgBouncer take the file, and lets go of the connections to where it pointed before. */
async function take(
  console: PgBouncerConsole,
  wanted: { options: PgBouncerOptions; parameters: ConnectionParameters; isTaken: boolean },
): Promise<void> {
  const { options, parameters, isTaken } = wanted;
  if (isTaken && (await wrongEntries(console, options, parameters)).length === 0) return;
  const before = await console.kept();
  await settle(console, options.databases);
  await console.reload();
  const left = await wrongEntries(console, options, parameters);
  if (left.length > 0) throw notTaken(left, options.ini);
  // RELOAD lets go of them where it sees an entry change; not where only a name leads elsewhere. A RECONNECT that is
  // not needed would close connections to the new server.
  const after = await console.kept();
  for (const database of options.databases) {
    const stays = [...before].some(
      (one) => after.has(one) && (database === '*' || one.startsWith(`${database} `)),
    );
    if (!stays) continue;
    await settle(console, [database]);
    await console.reconnect(database);
  }
}

/**
 * Waits for a moment in which PgBouncer does not log in to a server. A login that a RELOAD or RECONNECT cuts short
 * counts as failed there: for `server_login_retry` (15 s) no other is tried, and clients that find no connection
 * are turned away. A login follows the other while a pool grows: several looks must be free of one.
 */
async function settle(console: PgBouncerConsole, databases: readonly string[]): Promise<void> {
  const endMs = systemClock.monotonicMs() + settleMs;
  let free = 0;
  while (free < settledLooks && systemClock.monotonicMs() < endMs) {
    free = (await console.logsIn(databases)) ? 0 : free + 1;
    // The last look is followed by the command at once.
    if (free < settledLooks) await systemClock.sleep(lookEveryMs);
  }
}

/** Entries that PgBouncer runs with otherwise; `*` stands for databases that come and go, and is not looked for. */
async function wrongEntries(
  console: PgBouncerConsole,
  { databases }: PgBouncerOptions,
  parameters: ConnectionParameters,
): Promise<string[]> {
  const now = await console.pointsTo();
  return databases.filter((name) => {
    const entry = now.get(name);
    return (
      name !== '*' &&
      (['host', 'port'] as const).some((key) => parameters.has(key) && parameters.get(key) !== entry?.[key])
    );
  });
}

/** Throws `config_invalid` where replicas say too little, or unlike things: what one sets would stay for the other. */
export function checkPgBouncerReplicas(replicas: ReplicaValues): void {
  const names = Object.keys(replicas);
  const hint =
    'Give each one as replicas: { db1: { host: 10.0.0.11, port: 5432 } } in the file, or by --replicas.';
  if (names.length === 0) {
    throw new ForewarmError('config_invalid', '--pgbouncer needs to know where the replicas are', { hint });
  }
  for (const key of connectionParameters) {
    const lacking = names.filter((name) => replicas[name]?.[key] === undefined);
    if (lacking.length === 0 || (lacking.length === names.length && key !== 'host')) continue;
    const others = key === 'host' ? '' : ', and others have it';
    throw new ForewarmError('config_invalid', `--pgbouncer: ${lacking.join(', ')} lacks ${key}${others}`, {
      hint,
    });
  }
}

function parametersOf(replica: string, replicas: ReplicaValues): ConnectionParameters {
  const values = replicas[replica];
  if (values === undefined) {
    throw new ForewarmError('output_failed', `nothing says where replica ${replica} is`, {
      hint: `Add replicas.${replica} to the configuration and start again.`,
    });
  }
  const known: readonly string[] = connectionParameters;
  return new Map(Object.entries(values).filter(([key]) => known.includes(key)));
}

async function rewriteFile(
  { ini, databases }: PgBouncerOptions,
  parameters: ConnectionParameters,
): Promise<boolean> {
  // A character for each byte, so that what is not ours stays as it is in whatever encoding.
  const bytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
  const raw = new Map([...parameters].map(([key, value]) => [key, bytes(value)]));
  try {
    const before = await readFile(ini, 'latin1');
    const after = databases.reduce((text, name) => rewriteEntry(text, bytes(name), raw), before);
    if (after === before) return false;
    await replaceFile(ini, Buffer.from(after, 'latin1'));
    return true;
  } catch (error) {
    if (error instanceof ForewarmError) throw error;
    throw new ForewarmError('output_failed', `${ini} was not rewritten: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function notTaken(databases: readonly string[], ini: string): ForewarmError {
  return new ForewarmError(
    'output_failed',
    `PgBouncer did not take the new entry of ${databases.join(', ')}`,
    {
      hint: `Its log says why; check that it reads ${ini}, and that pgbouncer.admin leads to the same PgBouncer.`,
    },
  );
}
