import type { Registry } from 'prom-client';
import { Instruments, type Sample } from '../metrics/instruments.ts';
import { poolMetrics as declared } from '../metrics/pool-metrics.ts';
import { phases } from './phases.ts';
import { type PoolCounters, type PoolRoute, phaseCounters } from './report.ts';

/** What `createSwitchingPgPool` and `createSwitchingMysqlPool` give. */
export interface MeasuredPool {
  readonly route: PoolRoute;
  readonly counters: PoolCounters;
}

/** The pools of each registry, by their label. */
const registered = new WeakMap<Registry, Map<string, MeasuredPool>>();

/**
 * Shows a switching pool's phase, pauses and connections in a registry of `prom-client`, read at each scrape.
 * `name` is the label `pool`, the VM by default; another pool of that name takes its place. Returns what takes the
 * pool out again.
 */
export function registerPoolMetrics(
  pool: MeasuredPool,
  registry: Registry,
  options: { readonly name?: string } = {},
): () => void {
  const name = options.name ?? pool.route.vm;
  let pools = registered.get(registry);
  if (pools === undefined) {
    pools = new Map();
    declareIn(registry, pools);
    registered.set(registry, pools);
  }
  const all = pools;
  all.set(name, pool);
  return () => {
    if (all.get(name) === pool) all.delete(name);
  };
}

function declareIn(registry: Registry, pools: ReadonlyMap<string, MeasuredPool>): void {
  const on = new Instruments(registry);
  const each = (of: (pool: MeasuredPool) => number) => (): Sample<'pool'>[] =>
    [...pools].map(([name, pool]) => [{ pool: name }, of(pool)]);
  const counted = (name: keyof PoolCounters) => each(({ counters }) => counters[name]);
  on.sampled(declared.phase, () =>
    [...pools].flatMap(([pool, { route }]) =>
      phases.map((phase): Sample<'pool' | 'phase'> => [{ pool, phase }, route.phase === phase ? 1 : 0]),
    ),
  );
  on.sampled(declared.phases, () =>
    [...pools].flatMap(([pool, { counters }]) =>
      phases.map((phase): Sample<'pool' | 'phase'> => [{ pool, phase }, counters[phaseCounters[phase]]]),
    ),
  );
  on.sampled(declared.replica, () =>
    [...pools].map(([pool, { route }]) => [{ pool, replica: route.replica }, 1]),
  );
  on.sampled(
    declared.astray,
    each(({ route }) => (route.replica === route.wanted ? 0 : 1)),
  );
  on.sampled(
    declared.epoch,
    each(({ route }) => route.epoch),
  );
  on.sampled(declared.pauses, counted('holds'));
  on.sampled(
    declared.pauseTime,
    each(({ counters }) => counters.heldMs / 1000),
  );
  on.sampled(
    declared.longestPause,
    each(({ counters }) => counters.longestHoldMs / 1000),
  );
  on.sampled(declared.prepared, counted('connectionsPrepared'));
  on.sampled(declared.drained, counted('connectionsDrained'));
  on.sampled(declared.cut, counted('connectionsCut'));
  on.sampled(declared.behind, counted('behind'));
  on.sampled(declared.retries, counted('retries'));
  on.sampled(declared.natsLost, counted('natsLost'));
}
