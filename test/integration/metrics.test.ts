import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSwitchingPgPool, type SwitchingPgPool } from '../../src/index.ts';
import { OwnedProcesses } from '../../src/lab/owned-processes.ts';
import type { PostgresCluster } from '../../src/lab/postgres-cluster.ts';
import { locatePromtool } from '../../src/lab/promtool.ts';
import { run } from '../../src/lab/run.ts';
import { agentMetrics } from '../../src/metrics/agent-metrics.ts';
import { poolMetrics } from '../../src/metrics/pool-metrics.ts';
import { registerPoolMetrics } from '../../src/metrics.ts';
import { itemsVms, startItemsCluster } from './items-cluster.ts';
import { alertsFile, namesExposed, namesIn, seriesValue, watchedExpressions } from './promql.ts';
import type { RealAgents } from './real-agents.ts';
import { testServers } from './servers.ts';

/** What real agents and a real pool expose after a real migration, and what alerts and dashboard ask of them. */

const owned = new OwnedProcesses({ handleSignals: false });
const prefix = `metrics${process.pid}`;
const registry = new Registry();
let cluster: PostgresCluster;
let agents: RealAgents;
let pool: SwitchingPgPool;
let unregister: () => void;
const ports = { db1: 0, db2: 0 };

async function scrape(replica: 'db1' | 'db2'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${ports[replica]}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return await response.text();
}

beforeAll(async () => {
  ({ cluster, agents } = await startItemsCluster({ owned, prefix, rowCount: 8_000 }));
  for (const replica of ['db1', 'db2'] as const) {
    ports[replica] = await agents.startListening(replica, itemsVms);
  }
  await agents.broker.routes.set('app1', { replica: 'db1' });
  const urlOf = (replica: string) => cluster.server(replica).url({ role: 'app1' });
  pool = createSwitchingPgPool({
    ...{ vm: 'app1', nats: testServers().nats, prefix, defaultReplica: 'db1' },
    replicas: { db1: urlOf('db1'), db2: urlOf('db2') },
  });
  unregister = registerPoolMetrics(pool, registry);
}, 120_000);

afterAll(async () => {
  await pool?.end();
  await agents?.close();
  await owned.dispose();
});

const read = () => pool.query('SELECT sum(length(pad)) FROM items WHERE id <= 5000');

test('a migration is told by its target, its source and the pool', async () => {
  // What is read before an agent's first look at the statistics is not seen.
  await agents.profiled('db1', 'app1', ['items'], read);
  await agents.publish('m-metrics');
  const ready = await agents.reached('m-metrics', 'ready');
  const held = await scrape('db2');
  expect(seriesValue(held, 'forewarm_migrations_under_way', { state: 'ready' })).toBe(1);
  expect(seriesValue(held, 'forewarm_residency_ratio', { vm: 'app1' })).toBeGreaterThanOrEqual(0.95);
  expect(seriesValue(held, 'forewarm_work_set_bytes', { vm: 'app1' })).toBeGreaterThan(0);

  const lease = await pool.connect();
  await agents.say('m-metrics', 'arrived');
  await expect.poll(() => pool.route, { timeout: 15_000 }).toMatchObject({ replica: 'db2' });
  lease.release();
  for (let i = 0; i < 3; i++) await read();
  await expect.poll(() => pool.route.phase, { timeout: 15_000 }).toBe('completed');
  const done = await agents.reached('m-metrics', 'completed');

  // Of a migration that is under way, and of no other.
  await expect
    .poll(async () => seriesValue(await scrape('db2'), 'forewarm_residency_ratio', { vm: 'app1' }))
    .toBeUndefined();
  const target = await scrape('db2');
  const of = (name: string, labels: Readonly<Record<string, string>> = {}) =>
    seriesValue(target, name, labels);
  const vm = 'app1';
  expect(of('forewarm_migrations_total', { vm, state: 'completed', replica: 'db2' })).toBe(1);
  expect(of('forewarm_migrations_total', { vm, state: 'failed' })).toBe(0);
  expect(of('forewarm_deadlines_total', { vm, outcome: 'met' })).toBe(1);
  expect(of('forewarm_deadlines_total', { vm, outcome: 'missed' })).toBe(0);
  expect(of('forewarm_ready_seconds_count', { vm })).toBe(1);
  expect(of('forewarm_planned_blocks_total', { vm })).toBe(ready.plan?.blocks);
  expect(of('forewarm_planned_bytes_total', { vm })).toBe(ready.plan?.bytes);
  expect(of('forewarm_read_blocks_total', { vm })).toBe(done.warmed?.blocks);
  expect(of('forewarm_read_bytes_total', { vm })).toBe(done.warmed?.bytesRead);
  expect(of('forewarm_rounds_total', { vm })).toBe(done.warmed?.rounds);
  expect(of('forewarm_after_arrival_hit_ratio', { vm })).toBe(done.afterArrival?.hitRatio);
  expect(of('forewarm_useful_ratio', { vm })).toBe(done.afterArrival?.precision);
  expect(of('forewarm_query_seconds_count', { query: 'warm' })).toBeGreaterThan(0);
  expect(of('forewarm_query_seconds_count', { query: 'sessions' })).toBeGreaterThan(0);
  for (const name of ['forewarm_database_up', 'forewarm_can_warm', 'forewarm_nats_connected']) {
    expect(of(name), name).toBe(1);
  }
  expect(of('forewarm_replay_lag_seconds')).toBe(0);
  expect(of('forewarm_replay_lag_limit_seconds')).toBe(10);
  expect(of('process_cpu_seconds_total')).toBeGreaterThan(0);
  const source = await scrape('db1');
  expect(seriesValue(source, 'forewarm_requests_total', { kind: 'workset', code: 'ok' })).toBeGreaterThan(0);

  const application = await registry.metrics();
  const inPool = (name: string, labels: Readonly<Record<string, string>> = {}) =>
    seriesValue(application, name, { pool: 'app1', ...labels });
  expect(inPool('forewarm_pool_phase', { phase: 'completed' })).toBe(1);
  expect(inPool('forewarm_pool_phases_total', { phase: 'post' })).toBe(1);
  expect(inPool('forewarm_pool_connections_drained_total')).toBe(1);
  expect(inPool('forewarm_pool_connections_cut_total')).toBe(0);
  expect(inPool('forewarm_pool_pauses_total')).toBe(pool.counters.holds);
  expect(inPool('forewarm_pool_replica_info', { replica: 'db2' })).toBe(1);
});

test('label values are bounded: a VM that the configuration does not name is `other`, an id is nowhere', async () => {
  await agents.publish('m-stranger', { vm: 'stranger' });
  await agents.reached('m-stranger', 'rejected');
  const target = await scrape('db2');
  expect(seriesValue(target, 'forewarm_migrations_total', { vm: 'other', state: 'rejected' })).toBe(1);
  for (const text of [target, await scrape('db1'), await registry.metrics()]) {
    expect(text).not.toContain('m-stranger');
    expect(text).not.toContain('m-metrics');
    expect(text).not.toContain('stranger');
  }
});

test('every metric that is declared is exposed, by agents of both sides and by pools', async () => {
  for (const replica of ['db1', 'db2'] as const) {
    const text = await scrape(replica);
    for (const { name, type } of Object.values(agentMetrics))
      expect(text).toContain(`# TYPE ${name} ${type}\n`);
  }
  const text = await registry.metrics();
  for (const { name, type } of Object.values(poolMetrics)) expect(text).toContain(`# TYPE ${name} ${type}\n`);
});

test('what alerts and dashboard ask for is there: metrics and labels', async () => {
  const exposed = namesExposed(
    [await scrape('db1'), await scrape('db2'), await registry.metrics()].join('\n'),
  );
  // Prometheus adds these by itself.
  for (const metric of ['up']) exposed.metrics.add(metric);
  for (const label of ['job', 'instance']) exposed.labels.add(label);
  const expressions = watchedExpressions();
  expect(expressions.length).toBeGreaterThan(40);
  for (const expression of expressions) {
    const { metrics, labels } = namesIn(expression);
    expect(metrics, expression.where).not.toEqual([]);
    for (const name of metrics) expect(exposed.metrics, `${expression.where}: ${name}`).toContain(name);
    for (const name of labels) expect(exposed.labels, `${expression.where}: ${name}`).toContain(name);
  }
});

test('a pool that is taken out of the registry is no longer told', async () => {
  unregister();
  expect(await registry.metrics()).not.toContain('pool="app1"');
  unregister = registerPoolMetrics(pool, registry, { name: 'mine' });
  expect(seriesValue(await registry.metrics(), 'forewarm_pool_off_route', { pool: 'mine' })).toBe(0);
});

const promtoolMissing = await locatePromtool().then(
  () => undefined,
  (error: Error) => error.message,
);
if (promtoolMissing !== undefined) console.warn(`Alert rules are not checked: ${promtoolMissing}`);

describe.skipIf(promtoolMissing !== undefined)('promtool', () => {
  test('finds the alert rules right, and they fire when they should', async () => {
    const promtool = await locatePromtool();
    expect(await run(promtool, ['check', 'rules', alertsFile.pathname])).toContain('SUCCESS: 9 rules found');
    const cases = new URL('fixtures/alerts.test.yaml', import.meta.url).pathname;
    expect(await run(promtool, ['test', 'rules', cases])).toContain('SUCCESS');
  });

  test('finds no fault with the names and units of what is exposed', async () => {
    const promtool = await locatePromtool();
    // Those of the process are the library's.
    const own = (text: string) =>
      text
        .split('\n')
        .filter((line) => /^(# \w+ )?forewarm_/.test(line))
        .map((line) => `${line}\n`)
        .join('');
    for (const text of [await scrape('db2'), await registry.metrics()]) {
      expect(await run(promtool, ['check', 'metrics'], { input: own(text) })).toBe('');
    }
  });
});
