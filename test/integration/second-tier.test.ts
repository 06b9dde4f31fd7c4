import { afterAll, beforeAll, expect, it } from 'vitest';
import { dropOsCache, residentBytes } from '../../src/lab/os-cache.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import type { PostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { itemsVms, startItemsCluster } from './items-cluster.ts';
import { poolOf, type RealAgents } from './real-agents.ts';

/** A work set twice the size of shared_buffers: half of it lives in the OS page cache (Debian's 15 with pgfincore). */

const owned = new OwnedProcesses({ handleSignals: false });
const poolBlocks = 4_096;
let cluster: PostgresCluster;
let agents: RealAgents;

beforeAll(async () => {
  const prefix = `tier${process.pid}`;
  ({ cluster, agents } = await startItemsCluster({ owned, flavour: 'debian', prefix, rowCount: 80_000 }));
}, 120_000);

afterAll(async () => {
  await agents?.close();
  await owned.dispose();
});

it('carries over what only the OS cache of the source holds, behind the pool, and counts both', async () => {
  const target = cluster.server('db2');
  await target.stop();
  await dropOsCache(target.dataDir);
  await target.start();
  await agents.start('db1', itemsVms);
  await agents.start('db2', itemsVms);
  const client = await cluster.server('db1').connect({ role: 'app1' });
  // Through the index, so that no ring buffer keeps the pool from filling.
  await client.query('SET enable_seqscan = off; SET enable_bitmapscan = off');
  for (let from = 1; from < 65_000; from += 500) {
    await client.query('SELECT sum(length(pad)) FROM items WHERE id BETWEEN $1 AND $2', [from, from + 499]);
  }
  await client.end();
  await agents.profiled('db1', 'app1', ['items']);
  const coldBytes = await residentBytes(target.dataDir);
  await agents.publish('m1');
  const ready = await agents.reached('m1', 'ready');

  expect(ready.workSet?.secondTier).toBe('measured');
  const { blocks, osBlocks } = ready.workSet!;
  expect(blocks).toBeGreaterThan(poolBlocks * 0.7);
  expect(blocks + osBlocks!).toBeGreaterThan(poolBlocks * 1.8);
  const inPool = (await poolOf(target, 'items')).size;
  expect(inPool).toBeGreaterThan(poolBlocks * 0.6);
  expect(inPool).toBeLessThan(poolBlocks);
  expect(ready.plan?.skippedBlocks).toBe(0);
  // What is not in the pool is in memory all the same: the OS cache grew by the whole work set.
  await expect
    .poll(async () => ((await residentBytes(target.dataDir)) ?? 0) - (coldBytes ?? 0), { timeout: 10_000 })
    .toBeGreaterThan((blocks + osBlocks!) * 8192 * 0.95);
  await agents.say('m1', 'aborted');
});
