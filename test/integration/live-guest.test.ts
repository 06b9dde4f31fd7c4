import { afterAll, expect, test } from 'vitest';
import { type Broker, connectBroker } from '../../src/broker/broker.ts';
import { rowsForTable } from '../../src/lab/app-data.ts';
import { postgresKind, postgresOf } from '../../src/lab/experiment/postgres-database.ts';
import { RouteFollower } from '../../src/lab/experiment/route-follower.ts';
import type { Guest } from '../../src/lab/live/guest.ts';
import { GuestFleet, seenByGuests } from '../../src/lab/live/guest-fleet.ts';
import { moveWithForewarm } from '../../src/lab/live/guest-moves.ts';
import { missingForLiveGuests, thisMachine } from '../../src/lab/live/requirements.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { eventually } from '../faults/support/eventually.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { testServers } from './servers.ts';

/** A real guest that reads from one replica, is migrated live while it reads, and reads from the other one. */

const missing = await missingForLiveGuests(thisMachine);
if (missing.length > 0) console.warn(`The test of guests is skipped: ${missing.join('; ')}`);

const prefix = `guests${process.pid}`;
const owned = new OwnedProcesses({ handleSignals: false });
const follows = new AbortController();
let broker: Broker | undefined;
let agent: ScriptedAgent | undefined;

afterAll(async () => {
  follows.abort();
  await agent?.stop();
  await broker?.close();
  await owned.dispose();
});

/** Resolves when the guest has read `count` times more. */
async function reads(guest: Guest, count: number): Promise<void> {
  const sum = () => guest.app.samples.reduce((all, { transactions }) => all + transactions, 0);
  const before = sum();
  await eventually(`${count} reads`, async () => sum() >= before + count, {
    timeoutMs: 60_000,
    hint: () => guest.app.errors.join('\n'),
  });
}

test.skipIf(missing.length > 0)(
  'a guest reads from the source, moves, and reads from the target, and no read fails',
  async () => {
    const url = testServers().nats;
    broker = await connectBroker({ url, prefix, name: 'test', logger: silentLogger });
    agent = await ScriptedAgent.start({ url, prefix, replica: 'db2', script: ['profile', 'warm', 'ready'] });
    const tables = [{ vm: 'app1', name: 'app1_data', sizeMb: 4 }];
    const database = await postgresKind.start({ owned, replicas: ['db1', 'db2'], poolMb: 32, tables });
    const [db1, db2] = ['db1', 'db2'].map((name) => postgresOf(database.server(name))) as [
      ReturnType<typeof postgresOf>,
      ReturnType<typeof postgresOf>,
    ];
    const sessions = async (server: typeof db1) =>
      (await server.query("SELECT FROM pg_stat_activity WHERE usename = 'app1'")).length;
    const fleet = await GuestFleet.start(owned, [db1, db2]);
    const shape = { rowCount: rowsForTable(4), seed: 1, readRowCount: 40 };
    const [guest] = (await fleet.boot([
      { vm: 'app1', table: 'app1_data', clientCount: 2, shape, dsn: seenByGuests(db1.url()) },
    ])) as [Guest];
    const dsnOf = (replica: string) => seenByGuests(database.server(replica).url);
    const route = new RouteFollower({ broker, vm: guest.app, dsnOf, signal: follows.signal });
    await route.start('db1');
    await reads(guest, 50);
    expect([await sessions(db1), await sessions(db2)]).toEqual([2, 0]);

    const env = { FOREWARM_NATS_URL: url, FOREWARM_NATS_PREFIX: prefix };
    const move = () => moveWithForewarm(guest, { owned, target: 'db2', id: 'live-1', env });
    await route.through(move, { replica: 'db2' });
    await reads(guest, 50);
    expect([await sessions(db1), await sessions(db2)]).toEqual([0, 2]);
    expect(guest.app.errors).toEqual([]);
    expect(guest.app.failedQueries).toBe(0);
    expect(await guest.downtimeMs()).toBeGreaterThan(0);
    await expect.poll(() => agent?.states).toEqual(['accepted', 'profiling', 'warming', 'ready', 'arrived']);
    fleet.close();
    await owned.dispose();
    expect(owned.running()).toEqual([]);
  },
  180_000,
);
