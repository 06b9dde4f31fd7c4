import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import { hardSchema } from './fixtures/attribution-hard.ts';
import { type AttributionRun, mostUnexplained, runAttribution } from './fixtures/attribution-run.ts';
import { rolesOf, schemaOfMain, schemaOfSecond } from './fixtures/attribution-schema.ts';
import { compare, profileShares } from './fixtures/attribution-truth.ts';
import { expectNoSessions, testServers, urlFor, withClient } from './servers.ts';

const replica = 'attribution-db';

/**
 * Against the server's own counters while each VM's load ran alone. What could not be explained is told with
 * its share, and may be no more than a tenth; the shares of the rest are off by as much.
 */
function expectFound(run: AttributionRun, vm: string, mostDistance: number): void {
  const profile = run.profileOf(vm);
  const found = compare(run.truth.get(vm) ?? new Map(), profileShares(profile));
  expect({ missed: found.missed, invented: found.invented }).toEqual({ missed: [], invented: [] });
  const { share, statements } = profile.unexplained;
  expect(share, `unexplained: ${JSON.stringify(statements)}`).toBeLessThan(mostUnexplained);
  expect(found.distance, `shares differ: ${found.worst.join('; ')}`).toBeLessThan(mostDistance + share);
}

describe('attribution on a standby', () => {
  const owned = new OwnedProcesses({ handleSignals: false });
  const roles = rolesOf('attribution');
  const main = 'attribution main';
  const second = 'attribution_second';
  const rounds = 400;
  let run: AttributionRun;

  beforeAll(async () => {
    const { primary, db1 } = testServers().postgres;
    await dropAll(primary, [main, second], Object.values(roles));
    await createAll(primary, { [main]: schemaOfMain, [second]: schemaOfSecond }, Object.values(roles));
    await replayed(primary, db1);
    run = await runAttribution({
      owned,
      replica,
      server: db1,
      observerUrl: urlFor(db1, { role: roles.observer, database: main }),
      databases: [main, second],
      load: { kind: 'mixed', names: { main, second, roles } },
      vms: [
        { vm: 'app1', user: roles.app1 },
        { vm: 'app2', user: roles.app2 },
        { vm: 'app5', user: roles.app5, address: '127.0.0.0/8' },
        { vm: 'app5', user: roles.app5 },
        { vm: 'app3', applicationName: 'app3*' },
        { vm: 'app4', user: roles.shared, applicationName: 'app?' },
      ],
      rounds,
      windows: 16,
    });
  }, 400_000);

  afterAll(async () => {
    await owned.dispose();
    await dropAll(testServers().postgres.primary, [main, second], Object.values(roles));
  });

  it.each([
    ['app1', 'views, TOAST, partitions, CTEs, prepared statements, two databases', 0.12],
    ['app2', 'functions in SQL and PL/pgSQL, nested and dynamic', 0.12],
    ['app3', 'a shared role and a search_path set by the session', 0.15],
    ['app4', 'the same statements in another schema', 0.3],
    ['app5', 'quoted names, EXECUTE, cursors', 0.12],
  ] as const)('finds what %s touches, from 1 %% on, and no other: %s', (vm, _, mostDistance) => {
    expectFound(run, vm, mostDistance);
  });

  it('divides only the statements of shared roles', () => {
    for (const vm of ['app1', 'app2', 'app5']) expect(run.profileOf(vm).splitShare).toBe(0);
    expect(run.profileOf('app3').splitShare).toBeGreaterThan(0.9);
  });

  it('counts clients that no rule matches, and gives their table to nobody', () => {
    expect(run.windows.some((window) => window.unmatched.sessions > 0)).toBe(true);
    expect(run.windows.reduce((sum, window) => sum + window.unmatched.blocks, 0)).toBeGreaterThan(rounds);
    for (const vm of ['app1', 'app2', 'app3', 'app4', 'app5']) {
      expect(run.profileOf(vm).relations.filter((one) => one.name.startsWith('reports'))).toEqual([]);
    }
  });

  it('books every access once: relations and what is unexplained add up to the volume', () => {
    for (const vm of ['app1', 'app2', 'app3', 'app4', 'app5']) {
      const seen = run.seenOf(vm);
      const sum = (parts: readonly { blocks: number }[]) => parts.reduce((all, one) => all + one.blocks, 0);
      const booked = seen.reduce((all, one) => all + sum(one.relations) + sum(one.unexplained), 0);
      expect(sum(seen)).toBeGreaterThan(0);
      expect(booked / sum(seen)).toBeGreaterThan(0.97);
      expect(booked / sum(seen)).toBeLessThan(1.001);
      expect(seen.reduce((all, one) => all + one.blocksHit + one.blocksRead, 0)).toBeCloseTo(sum(seen), 0);
    }
  });

  it('leaves no session open', async () => {
    await expectNoSessions(testServers().postgres.db1, `forewarm:${replica}`);
  });
});

describe('attribution on a primary', () => {
  const owned = new OwnedProcesses({ handleSignals: false });
  const roles = {
    reader: 'hard_reader',
    caller: 'hard_caller',
    writer: 'hard_writer',
    shared: 'hard_shared',
  };
  const observer = 'hard_observer';
  const database = 'attribution_hard';
  let run: AttributionRun;

  beforeAll(async () => {
    const { primary } = testServers().postgres;
    const all = [...Object.values(roles), observer];
    await dropAll(primary, [database], all);
    await createAll(primary, { [database]: hardSchema }, all);
    run = await runAttribution({
      owned,
      replica,
      server: primary,
      observerUrl: urlFor(primary, { role: observer, database }),
      databases: [database],
      load: { kind: 'hard', names: { database, roles, writes: true } },
      vms: [
        { vm: 'reader', user: roles.reader },
        { vm: 'caller', user: roles.caller },
        { vm: 'writer', user: roles.writer },
        ...[1, 5, 9].map((tenant) => ({ vm: `tenant${tenant}`, applicationName: `tenant-${tenant}` })),
      ],
      rounds: 250,
      windows: 16,
    });
  }, 400_000);

  afterAll(async () => {
    await owned.dispose();
    await dropAll(testServers().postgres.primary, [database], [...Object.values(roles), observer]);
  });

  it.each([
    ['reader', 'GIN, GiST and expression indexes, inheritance, SECURITY DEFINER, recursion', 0.1],
    ['caller', 'a function on a table that others read by other indexes, many small tables', 0.1],
    ['writer', 'writes that the observer may not ask about, triggers, foreign keys', 0.35],
    ['tenant1', 'one statement in many schemas', 0.2],
    ['tenant5', 'one statement in many schemas', 0.2],
    ['tenant9', 'one statement in many schemas', 0.2],
  ] as const)('finds what %s touches, from 1 %% on, and no other: %s', (vm, _, mostDistance) => {
    expectFound(run, vm, mostDistance);
  });
});

/** A page that a later vacuum finds visible to all spares index-only scans its table: the truth would change. */
const withoutAutovacuum = `DO $$ DECLARE one regclass; BEGIN
  FOR one IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'm') AND oid >= 16384 LOOP
    EXECUTE format('ALTER %s %s SET (autovacuum_enabled = off)',
      CASE (SELECT relkind FROM pg_class WHERE oid = one) WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, one);
  END LOOP;
END $$`;

async function replayed(primary: string, standby: string): Promise<void> {
  const lsn = await withClient(primary, async (client) => {
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    return rows[0]?.lsn;
  });
  await withClient(standby, (client) =>
    vi.waitFor(
      async () => {
        const text = 'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done';
        expect((await client.query<{ done: boolean }>(text, [lsn])).rows[0]?.done).toBe(true);
      },
      { timeout: 30_000, interval: 50 },
    ),
  );
}

/** The role whose name ends in `observer` gets what sql/postgres/setup.sql gives; the others read and write. */
async function createAll(
  primary: string,
  schemas: Readonly<Record<string, string>>,
  roles: readonly string[],
): Promise<void> {
  await withClient(primary, async (client) => {
    for (const database of Object.keys(schemas)) {
      await client.query(`CREATE DATABASE ${pg.escapeIdentifier(database)}`);
    }
    for (const role of roles) {
      const granted = role.endsWith('observer') ? 'pg_monitor' : 'pg_write_all_data';
      await client.query(`CREATE ROLE ${role} LOGIN`);
      await client.query(`GRANT pg_read_all_data, ${granted} TO ${role}`);
    }
  });
  for (const [database, schema] of Object.entries(schemas)) {
    await withClient(urlFor(primary, { database }), async (client) => {
      await client.query('CREATE EXTENSION pg_stat_statements');
      await client.query(schema);
      await client.query(withoutAutovacuum);
      await client.query('VACUUM ANALYZE');
    });
  }
}

async function dropAll(
  primary: string,
  databases: readonly string[],
  roles: readonly string[],
): Promise<void> {
  await withClient(primary, async (client) => {
    for (const database of databases) {
      await client.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`);
    }
    for (const role of roles) await client.query(`DROP ROLE IF EXISTS ${role}`);
  });
}
