import { afterAll, beforeAll, expect, it } from 'vitest';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import type { PostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { itemsVms, startItemsCluster } from './items-cluster.ts';
import { poolOf, type RealAgents } from './real-agents.ts';

/** A target without a free buffer: most hold what residents use, the rest what nobody does; the work set is greater than that rest. */

const owned = new OwnedProcesses({ handleSignals: false });
let cluster: PostgresCluster;
let agents: RealAgents;

beforeAll(async () => {
  const prefix = `full${process.pid}`;
  ({ cluster, agents } = await startItemsCluster({ owned, prefix, rowCount: 40_000 }));
  for (const [table, rows] of Object.entries({ resident: 18_000, crowd: 40_000 })) {
    await cluster.primary.query(
      `CREATE TABLE ${table} AS SELECT g AS id, repeat('y', 900) AS pad FROM generate_series(1, ${rows}) g`,
    );
    await cluster.primary.query(`VACUUM ANALYZE ${table}`);
  }
  await cluster.waitForReplay();
}, 120_000);

afterAll(async () => {
  await agents?.close();
  await owned.dispose();
});

it('leaves residents every page that they used again and again, however many rounds there are', async () => {
  const target = cluster.server('db2');
  await target.query("SELECT pg_prewarm('crowd')");
  for (let use = 0; use < 4; use++) await target.query("SELECT pg_prewarm('resident')");
  await agents.start('db1', itemsVms);
  await agents.start('db2', itemsVms);
  const client = await cluster.server('db1').connect({ role: 'app1' });
  // Through the index, so that no ring buffer keeps the pool from filling.
  await client.query('SET enable_seqscan = off; SET enable_bitmapscan = off');
  for (let from = 1; from < 24_000; from += 500) {
    await client.query('SELECT sum(length(pad)) FROM items WHERE id BETWEEN $1 AND $2', [from, from + 499]);
  }
  await client.end();
  await agents.profiled('db1', 'app1', ['items']);
  const before = [...(await poolOf(target, 'resident'))].filter(([, usage]) => usage >= 3);
  expect(before.length).toBeGreaterThan(2_000);

  await agents.publish('m1');
  const ready = await agents.reached('m1', 'ready');
  expect(ready.residency).toBeLessThan(0.9);
  expect((await poolOf(target, 'items')).size).toBeGreaterThan(1_000);
  // Two rounds of the hold at least.
  const takenAt = new Set<string | undefined>();
  await expect
    .poll(
      async () => {
        takenAt.add((await agents.broker.records.get('m1'))?.value.workSet?.takenAt);
        return takenAt.size;
      },
      { timeout: 30_000 },
    )
    .toBeGreaterThan(2);
  const after = await poolOf(target, 'resident');
  expect(before.filter(([block]) => !after.has(block))).toEqual([]);
  await agents.say('m1', 'aborted');
});
