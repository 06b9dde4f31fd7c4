import type { EngineKind } from '../../engines/engine.ts';
import type { DatabaseKind } from './database.ts';
import { innodbKind } from './innodb-database.ts';
import { postgresKind } from './postgres-database.ts';

export const databaseKinds: Readonly<Record<EngineKind, DatabaseKind>> = {
  postgres: postgresKind,
  mariadb: innodbKind('mariadb'),
  mysql: innodbKind('mysql'),
};
