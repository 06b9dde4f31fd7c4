import type { MysqlConnections } from './connections.ts';
import { sqlStatement } from './sql.ts';

const consumersStatement = sqlStatement('statement-consumers');

/** Without the current statement, MariaDB keeps no history of it, and does not count it where it was prepared. */
const needed = [
  'global_instrumentation',
  'thread_instrumentation',
  'events_statements_current',
  'events_statements_history',
  'statements_digest',
];

/** Consumers of performance_schema that tell who ran which statement, and are off. */
export async function missingConsumers(connections: MysqlConnections): Promise<string[]> {
  const rows = await connections.query<{ name: string }>(consumersStatement);
  const enabled = new Set(rows.map((row) => row.name));
  return needed.filter((name) => !enabled.has(name));
}
