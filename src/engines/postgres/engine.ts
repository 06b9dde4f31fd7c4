import type { Engine, EngineOptions } from '../engine.ts';
import { remembered } from '../remembered.ts';
import { locate, lookUpRelations } from './catalog.ts';
import { check } from './check.ts';
import { createPostgresConnections } from './connections.ts';
import { HealthReader } from './health.ts';
import { identify } from './identity.ts';
import { matchWorkSet } from './match.ts';
import { createPostgresObserver } from './observer.ts';
import { PoolStates } from './pool-state.ts';
import { SessionCatalogs } from './session-catalogs.ts';
import { Warmer } from './warm.ts';
import { readWorkSet } from './work-set.ts';

/** The engine for PostgreSQL 14 to 18. Connects at the first call. */
export function createPostgresEngine(options: EngineOptions): Engine {
  const connections = createPostgresConnections(options);
  const warmer = new Warmer(connections);
  const pool = new PoolStates(connections);
  const catalogs = new SessionCatalogs(connections, options.logger);
  const health = new HealthReader(connections);
  const identity = remembered(() => identify(connections));
  return {
    kind: 'postgres',
    tells: { readsOfVms: true, heatOfBlocks: true },
    identify: identity.anew,
    health: () => health.read(),
    observer: createPostgresObserver(connections, options),
    workSet: async (vm, relations, signal) =>
      readWorkSet(connections, await identity.get(), { vm, relations, catalogs, signal }),
    match: async (workSet) =>
      matchWorkSet({ connections, identity: await identity.get(), catalogs }, workSet),
    foresee: async (relations, count) => {
      const known = await identity.get();
      const [found, beside] = await Promise.all([
        lookUpRelations(connections, relations, known),
        catalogs.beside(relations),
      ]);
      pool.foresee(known, [...found, ...beside]);
      void warmer.prepare(known, locate(relations, found), count);
    },
    poolState: async (relations) => pool.read(await identity.get(), relations),
    warm: async (step, signal) => warmer.warm(await identity.get(), step, signal),
    raiseHeat: async (relation, spans, signal) =>
      warmer.touch(await identity.get(), relation, { spans, signal }),
    check: () => check(connections),
    close: () => connections.close(),
  };
}
