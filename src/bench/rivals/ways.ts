import type { EngineKind } from '../../engines/engine.ts';
import { innodbWays } from './innodb-ways.ts';
import { postgresWays } from './postgres-ways.ts';
import type { Way } from './way.ts';

const ways: Readonly<Record<EngineKind, readonly Way[]>> = {
  postgres: postgresWays,
  mariadb: innodbWays,
  mysql: innodbWays,
};

/** What can be done with a database product, in the order of a repetition; the control is none of them. */
export function waysOf(engine: EngineKind): readonly Way[] {
  return ways[engine];
}
