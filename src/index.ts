/** The public API: pools of database connections that follow their VM's route. */
export type { NatsConnection, NatsOptions } from './broker/route-feed.ts';
export { type ErrorCode, ForewarmError } from './lib/errors.ts';
export {
  createSwitchingMysqlPool,
  type SwitchingMysqlPool,
  type SwitchingMysqlPoolOptions,
} from './routing/mysql/pool.ts';
export type { MysqlWarm } from './routing/mysql/replica-pool.ts';
export type { SwitchOptions } from './routing/options.ts';
export type { Phase } from './routing/phases.ts';
export {
  createSwitchingPgPool,
  SwitchingPgPool,
  type SwitchingPgPoolOptions,
} from './routing/postgres/pool.ts';
export type { PgWarm } from './routing/postgres/replica-pool.ts';
export type { Notice, PoolCounters, PoolRoute, SwitchEvent } from './routing/report.ts';
