import mysql, { type Pool, type PoolConnection, type PoolOptions } from 'mysql2';

/** What the driver keeps to itself in its types. */
export interface DriverConnection {
  /** Null once the pool has lost the connection. */
  _pool: unknown;
  config: { gracefulEnd?: boolean };
  stream: { destroy(error: Error): void };
}

export type GetConnectionCallback = (error: Error | null, connection: PoolConnection) => void;
export type EndCallback = (error: Error | null) => void;

type CorePoolClass = new (options: { config: unknown }) => Pool;
type PromisePoolClass = new (pool: Pool) => import('mysql2/promise').Pool;

/** The class of mysql2's own pools, whose `query` and `execute` take a connection by `getConnection`. */
export const CorePool = (mysql as unknown as { Pool: CorePoolClass }).Pool;

/** The class of `mysql2/promise`'s pools, each around one of the former. */
export const PromisePool = mysql.createPool({ connectionLimit: 1 }).promise()
  .constructor as unknown as PromisePoolClass;

/** The driver's own reading of a pool's options. */
export function poolConfig(options: PoolOptions): Pool['config'] & { connectionLimit: number } {
  const template = mysql.createPool(options);
  const { config } = template;
  template.end(() => {});
  return config as Pool['config'] & { connectionLimit: number };
}
