import pg from 'pg';
import { rowsForTable } from '../../lab/app-data.ts';
import { callOff, warmAhead } from '../../lab/experiment/arms.ts';
import { type Site, tableOf, tables, vms } from '../../lab/experiment/site.ts';
import { seededRandom } from '../../lab/load-pattern.ts';
import { systemClock } from '../../lib/clock.ts';
import { lagsOf, type PositionSample } from './replay-lag.ts';

/** How far the target's replay was behind, once while nothing was warmed and once while a work set was. */
export interface LagRun {
  readonly writesPerSecond: number;
  /** What was really written a second. */
  readonly written: number;
  readonly still: readonly number[];
  readonly prewarming: readonly number[];
  readonly readyMs: number;
}

const lookEveryMs = 20;
const stillMs = 6_000;

/** The stayer's table is written at the primary at a rate; its pages are cold at the target, as the mover's are. */
export async function measureLag(
  site: Site,
  options: { readonly writesPerSecond: number; readonly tableMb: number; readonly seed: number },
): Promise<LagRun> {
  const { writesPerSecond, tableMb, seed } = options;
  const primary = await openClient(site.database.server('primary').url);
  const writer = await openClient(site.database.server('primary').url);
  await site.coolTarget();
  const target = await openClient(site.target.url);
  const over = new AbortController();
  try {
    const rowCount = rowsForTable(tableMb);
    const writing = write(writer, { writesPerSecond, rowCount, seed, signal: over.signal });
    const looks = {
      primary: look(primary, 'pg_current_wal_lsn()', over.signal),
      target: look(target, 'pg_last_wal_replay_lsn()', over.signal),
    };
    // The first writes after a start bring whole pages into the WAL.
    await systemClock.sleep(2_000);
    const began = systemClock.monotonicMs();
    await systemClock.sleep(stillMs);
    const warmingFrom = systemClock.monotonicMs();
    const { evidence, readyMs } = await warmAhead(site, { vm: vms.mover, tables });
    const warmingTo = systemClock.monotonicMs();
    over.abort();
    const [written, ofPrimary, ofTarget] = await Promise.all([writing, looks.primary, looks.target]);
    await callOff(site, evidence.record);
    const between = (from: number, to: number) =>
      lagsOf(
        ofPrimary,
        ofTarget.filter(({ atMs }) => atMs >= from && atMs < to),
      );
    return {
      ...{ writesPerSecond, readyMs, written: (written * 1_000) / (warmingTo - began + 2_000) },
      still: between(began, warmingFrom),
      // Before ready, but for what the lab itself looks at first.
      prewarming: between(Math.max(warmingFrom, warmingTo - readyMs), warmingTo),
    };
  } finally {
    over.abort();
    await Promise.all([primary, writer, target].map((client) => client.end().catch(() => {})));
  }
}

async function openClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** One row after the other; gives how many. */
async function write(
  client: pg.Client,
  load: {
    readonly writesPerSecond: number;
    readonly rowCount: number;
    readonly seed: number;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const random = seededRandom(load.seed);
  const table = pg.escapeIdentifier(tableOf(vms.stayer));
  const beganMs = systemClock.monotonicMs();
  let count = 0;
  // A commit need not wait for the disk: what counts is what the replica has to replay.
  await client.query('SET synchronous_commit = off');
  while (!load.signal.aborted) {
    await client.query({
      name: 'write',
      text: `UPDATE ${table} SET filler = reverse(filler) WHERE id = $1`,
      values: [1 + Math.floor(random() * load.rowCount)],
    });
    count += 1;
    await systemClock.sleep(
      beganMs + (count * 1_000) / load.writesPerSecond - systemClock.monotonicMs(),
      load.signal,
    );
  }
  return count;
}

async function look(client: pg.Client, position: string, signal: AbortSignal): Promise<PositionSample[]> {
  const samples: PositionSample[] = [];
  while (!signal.aborted) {
    const { rows } = await client.query<{ position: number }>(
      `SELECT pg_wal_lsn_diff(${position}, '0/0')::float8 AS position`,
    );
    samples.push({ atMs: systemClock.monotonicMs(), position: rows[0]!.position });
    await systemClock.sleep(lookEveryMs, signal);
  }
  return samples;
}
