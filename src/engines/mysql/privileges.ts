import { ForewarmError } from '../../lib/errors.ts';
import type { MysqlConnections } from './connections.ts';
import { isTakenAway } from './error-numbers.ts';
import { sqlStatement } from './sql.ts';

const poolStatement = sqlStatement('pool-counts');
const admitStatement = sqlStatement('admit-new-pages');

export interface Privileges {
  readonly seesPool: boolean;
  readonly admits: boolean;
}

/** By trying: the grants of roles and of other hosts' entries add up to more than a list tells. */
export async function readPrivileges(connections: MysqlConnections): Promise<Privileges> {
  const seesPool = await isAllowed(() => connections.query(poolStatement));
  // For no time at all: nothing is changed.
  const admits = await isAllowed(() => connections.query(admitStatement, [0]));
  return { seesPool, admits };
}

export async function isAllowed(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch (error) {
    if (error instanceof ForewarmError && isTakenAway(error.cause)) return false;
    throw error;
  }
}
