import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { innodbOf } from '../../lab/experiment/innodb-database.ts';
import { type Site, tableOf, vms } from '../../lab/experiment/site.ts';
import type { MysqlServer } from '../../lab/mysql-server.ts';
import { until } from '../../lab/run.ts';
import { ForewarmError } from '../../lib/errors.ts';
import { cold, forewarm, forewarmRelations, mirrors, sleep } from './common-ways.ts';
import { replaySamples } from './replay.ts';
import { executedStatements } from './sampled-statements.ts';
import { longestMs, replayed, sampledShare, type Way } from './way.ts';

const mover = tableOf(vms.mover);
/** Below a server's data folder, as its own default is. */
const dumpFile = 'ib_buffer_pool';
const logFile = 'statements.log';
/** Of the log that is read: room for as many statements as are replayed at most, in a log of all of them. */
const tailBytes = 32 * 2 ** 20;

/** In the order of a repetition. */
export const innodbWays: readonly Way[] = [
  cold,
  forewarm({
    name: 'forewarm-keys',
    title: 'Forewarm, keys',
    explained: "the stretches of keys that the source's pool holds of what the VM reads",
    expectedMs: 8_000,
  }),
  sleep,
  {
    name: 'whole-table',
    title: 'SELECT scan, whole',
    explained: "a scan of the VM's whole table, whose rows and key are one tree",
    color: '#7a56c9',
    warm: ({ site }) => site.target.bringIn(mover).then(() => undefined),
    expectedMs: 10_000,
  },
  {
    name: 'dump-whole',
    title: 'dump and load, whole',
    explained: "InnoDB's own dump of the source's pool, all of it, loaded by the running target",
    color: '#2f9e6e',
    warm: ({ site }) => carryPool(site, 100),
    expectedMs: 10_000,
  },
  {
    name: 'dump-25',
    title: 'dump and load, 25 %',
    explained: 'the same with the most recently used quarter of each list, as servers are set by default',
    color: '#b7791f',
    warm: ({ site }) => carryPool(site, 25),
    expectedMs: 4_000,
  },
  ...mirrors,
  {
    name: 'replay',
    title: 'replay of samples',
    explained: `${sampledShare * 100} % of the statements on the VM's table from the source's general log, the last ${replayed.most.toLocaleString('en-US')} at most`,
    color: '#5c7a29',
    prepare: logStatements,
    warm: ({ site }) => replay(site),
    expectedMs: 7_000,
  },
  forewarmRelations,
];

/** As an operator copies the file: the servers are physical copies, so a page is at the same place in each. */
async function carryPool(site: Site, percent: number): Promise<undefined> {
  const [source, target] = [innodbOf(site.source), innodbOf(site.target)];
  const dump = join(source.dataDir, dumpFile);
  rmSync(dump, { force: true });
  await source.query('SET GLOBAL innodb_buffer_pool_dump_pct = ?', [percent]);
  await source.query('SET GLOBAL innodb_buffer_pool_dump_now = ON');
  await until('the source to have dumped its pool', async () => (existsSync(dump) ? true : undefined), {
    timeoutMs: longestMs,
    everyMs: 20,
  });
  // The server may run as a user who may not read the other's file.
  writeFileSync(join(target.dataDir, dumpFile), readFileSync(dump), { mode: 0o644 });
  const before = await loadStatus(target);
  await target.query('SET GLOBAL innodb_buffer_pool_load_now = ON');
  await until(
    'the target to have loaded the dump',
    async () => {
      const status = await loadStatus(target);
      if (status.startsWith('Cannot')) throw new ForewarmError('lab_unavailable', status);
      return status !== before && status.includes('completed') ? true : undefined;
    },
    { timeoutMs: longestMs, everyMs: 20, hint: () => target.log().trim().split('\n').slice(-3).join('\n') },
  );
  return undefined;
}

async function loadStatus(server: MysqlServer): Promise<string> {
  const [row] = await server.query<{ Value: string }>("SHOW STATUS LIKE 'Innodb_buffer_pool_load_status'");
  return row?.Value ?? '';
}

/** Lets the source log all statements with their values from now on: neither product samples by itself. */
async function logStatements({ source }: Site): Promise<void> {
  const server = innodbOf(source);
  await server.query("SET GLOBAL log_output = 'FILE'");
  await server.query('SET GLOBAL general_log_file = ?', [join(server.dataDir, logFile)]);
  await server.query('SET GLOBAL general_log = ON');
}

/** As text; its first line may be cut. */
function readTail(file: string, bytes: number): string {
  const handle = openSync(file, 'r');
  try {
    const { size } = fstatSync(handle);
    const tail = Buffer.alloc(Math.min(size, bytes));
    readSync(handle, tail, 0, tail.length, size - tail.length);
    return tail.toString('utf8');
  } finally {
    closeSync(handle);
  }
}

async function replay(site: Site): Promise<undefined> {
  const log = readTail(join(site.source.dataDir, logFile), tailBytes);
  const statements = executedStatements(log, { table: mover, share: sampledShare, most: replayed.most });
  return replaySamples(statements, async () => {
    const client = await innodbOf(site.target).connect({ user: vms.mover });
    return {
      run: async ({ text }) => void (await client.query(text)),
      close: () => client.end(),
    };
  });
}
