import type { EngineKind } from '../../engines/engine.ts';
import type { LoadShape } from '../load-pattern.ts';
import type { DatabaseKind } from './database.ts';
import { innodbKind } from './innodb-database.ts';
import { postgresKind } from './postgres-database.ts';

export const databaseKinds: Readonly<Record<EngineKind, DatabaseKind>> = {
  postgres: postgresKind,
  mariadb: innodbKind('mariadb'),
  mysql: innodbKind('mysql'),
};

/** For the load of a VM whose work set is to be found. */
export function placeOf(engine: EngineKind): Pick<LoadShape, 'hotPlace'> {
  const { hotPlace } = databaseKinds[engine];
  return hotPlace === undefined ? {} : { hotPlace };
}
