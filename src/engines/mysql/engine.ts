import type { Engine, EngineKind, EngineOptions, LocalRelation } from '../engine.ts';
import { remembered } from '../remembered.ts';
import { Admission } from './admission.ts';
import { CachedPagesReader } from './cached-pages.ts';
import { check } from './check.ts';
import { createMysqlConnections } from './connections.ts';
import { HealthReader } from './health.ts';
import { identify } from './identity.ts';
import { KeySpaces } from './key-spaces.ts';
import { matchWorkSet } from './match.ts';
import { indexNameOf } from './names.ts';
import { createMysqlObserver } from './observer.ts';
import { PoolStates } from './pool-state.ts';
import { readIndexes, storedKey } from './stored-indexes.ts';
import { Surveys } from './surveys.ts';
import { Warmer } from './warm.ts';
import { readWorkSet } from './work-set.ts';

/**
 * The engine for InnoDB, in MySQL and MariaDB. Connects at the first call. `surveyMs`: time for all questions of one
 * work set about which stretches of indexes are cached.
 */
export function createMysqlEngine(
  kind: Exclude<EngineKind, 'postgres'>,
  options: EngineOptions & { readonly surveyMs?: number },
): Engine {
  const connections = createMysqlConnections(options);
  const admission = new Admission(connections, options.logger);
  const spaces = new KeySpaces(connections);
  const surveys = new Surveys(connections, spaces, options.surveyMs);
  const warmer = new Warmer({ connections, admission, spaces, surveys });
  const pool = new CachedPagesReader(connections);
  const pools = new PoolStates(connections, pool);
  const health = new HealthReader(connections);
  const identity = remembered(() => identify(connections));
  return {
    kind,
    tells: { readsOfVms: false, heatOfBlocks: false },
    identify: identity.anew,
    health: async () => {
      await pools.look();
      return health.read();
    },
    observer: createMysqlObserver(connections, options),
    workSet: async (vm, relations, signal) =>
      readWorkSet(connections, await identity.get(), { vm, relations, pool, surveys, signal }),
    match: async (workSet) => {
      const { matches, indexes } = await matchWorkSet(connections, await identity.get(), workSet);
      for (const { local, wanted } of matches) {
        const name = local === undefined ? undefined : indexNameOf(local);
        const index = name === undefined ? undefined : indexes.get(storedKey(name));
        if (local !== undefined && index !== undefined) warmer.learn(local, index, wanted);
      }
      return matches;
    },
    poolState: async (relations) => {
      const server = await identity.get();
      const pool = await pools.read(server, {
        relations,
        indexOf: (relation: LocalRelation) => warmer.indexOf(relation),
        heldOf: (relation: LocalRelation, count: number) => warmer.heldOf(relation, count),
      });
      admission.update(pool, { ...server, admits: pool.known && server.admits });
      return pool;
    },
    warm: (step, signal) => {
      const calm = pools.disturb();
      return warmer.warm(step, signal).finally(calm);
    },
    // InnoDB has no count of uses to raise: a page is young or old.
    raiseHeat: async () => {},
    foresee: async (relations, count) => {
      const { databases, blockBytes } = await identity.get();
      const names = relations.flatMap((relation) => indexNameOf(relation) ?? []);
      const known = names.filter(({ database }) => databases.includes(database));
      const preparing = warmer.prepare(count);
      pools.foresee(await readIndexes(connections, known, { pageBytes: blockBytes }));
      await preparing;
    },
    check: () => check(connections, { exact: (options.exactMs ?? 0) > 0 }),
    close: () => connections.close(),
  };
}
