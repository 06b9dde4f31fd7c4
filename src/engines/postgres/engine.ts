import type { Engine, EngineOptions } from '../engine.ts';
import { check } from './check.ts';
import { createPostgresConnections } from './connections.ts';
import { HealthReader } from './health.ts';
import { identify, type PostgresIdentity } from './identity.ts';
import { matchWorkSet } from './match.ts';
import { createPostgresObserver } from './observer.ts';
import { readPoolState } from './pool-state.ts';
import { Warmer } from './warm.ts';
import { readWorkSet } from './work-set.ts';

/** The engine for PostgreSQL 14 to 18. Connects at the first call. */
export function createPostgresEngine(options: EngineOptions): Engine {
  const connections = createPostgresConnections(options);
  const warmer = new Warmer(connections);
  const health = new HealthReader(connections);
  let known: Promise<PostgresIdentity> | undefined;
  const identifyAnew = () => {
    const reading = identify(connections);
    known = reading;
    reading.catch(() => {
      if (known === reading) known = undefined;
    });
    return reading;
  };
  const identity = () => known ?? identifyAnew();
  return {
    kind: 'postgres',
    tells: { readsOfVms: true, heatOfBlocks: true },
    identify: identifyAnew,
    health: () => health.read(),
    observer: createPostgresObserver(connections, options),
    workSet: async (vm, relations, signal) =>
      readWorkSet(connections, await identity(), { vm, relations, signal }),
    match: async (workSet) => matchWorkSet(connections, await identity(), workSet),
    poolState: async (relations) => readPoolState(connections, await identity(), relations),
    warm: async (step, signal) => warmer.warm(await identity(), step, signal),
    raiseHeat: async (relation, spans, signal) => warmer.touch(await identity(), relation, { spans, signal }),
    check: () => check(connections),
    close: () => connections.close(),
  };
}
