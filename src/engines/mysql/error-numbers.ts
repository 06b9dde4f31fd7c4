import type { ErrorCode } from '../../lib/errors.ts';
import { adviceOn, type Failure, socketCodes } from '../failure.ts';

/** Error numbers of the server and codes of the socket by what they mean to Forewarm. */
const full = new Set<number | string>([
  1040, // ER_CON_COUNT_ERROR
  1203, // ER_TOO_MANY_USER_CONNECTIONS
  1226, // ER_USER_LIMIT_REACHED
]);
const unreachable = new Set<number | string>([
  ...full,
  1053, // ER_SERVER_SHUTDOWN
  1080, // ER_FORCING_CLOSE
  1129, // ER_HOST_IS_BLOCKED
  1152, // ER_ABORTING_CONNECTION
  1927, // MariaDB: ER_CONNECTION_KILLED
  3032, // ER_SERVER_OFFLINE_MODE
  ...socketCodes,
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
]);
const denied = new Set<number | string>([
  1044, // ER_DBACCESS_DENIED_ERROR
  1045, // ER_ACCESS_DENIED_ERROR
  1130, // ER_HOST_NOT_PRIVILEGED
  1142, // ER_TABLEACCESS_DENIED_ERROR
  1143, // ER_COLUMNACCESS_DENIED_ERROR
  1227, // ER_SPECIFIC_ACCESS_DENIED_ERROR
  1345, // ER_VIEW_NO_EXPLAIN
  1370, // ER_PROCACCESS_DENIED_ERROR
  1698, // MariaDB: ER_ACCESS_DENIED_NO_PASSWORD_ERROR
]);
const timedOut = new Set<number | string>([
  1205, // ER_LOCK_WAIT_TIMEOUT
  1317, // ER_QUERY_INTERRUPTED
  1969, // MariaDB: ER_STATEMENT_TIMEOUT
  3024, // ER_QUERY_TIMEOUT
]);
/** A table, column or partition that went away, or was altered, between the catalog's answer and its use. */
const outOfReach = new Set<number | string>([
  1049, // ER_BAD_DB_ERROR
  1054, // ER_BAD_FIELD_ERROR
  1146, // ER_NO_SUCH_TABLE
  1176, // ER_KEY_DOES_NOT_EXITS
  1412, // ER_TABLE_DEF_CHANGED
  1735, // ER_UNKNOWN_PARTITION
  1814, // ER_TABLESPACE_DISCARDED
  1815, // ER_INTERNAL_ERROR of a table whose file is missing
]);
const missingDatabase = 1049; // ER_BAD_DB_ERROR
const missingRoutine = 1305; // ER_SP_DOES_NOT_EXIST

/** The server's number, else the driver's or socket's code; '' where there is neither. */
export function numberOf(error: unknown): number | string {
  if (typeof error !== 'object' || error === null) return '';
  const { errno, code } = error as { errno?: unknown; code?: unknown };
  if (typeof errno === 'number' && errno >= 1000) return errno;
  return typeof code === 'string' ? code : '';
}

export const isTimedOut = (error: unknown): boolean => timedOut.has(numberOf(error));
export const isOutOfReach = (error: unknown): boolean => outOfReach.has(numberOf(error));
export const isDenied = (error: unknown): boolean => denied.has(numberOf(error));
/** What was there, or allowed, when it was last looked at. */
export const isTakenAway = (error: unknown): boolean =>
  isDenied(error) || numberOf(error) === missingRoutine || isOutOfReach(error);

/** True for an answer of the server that leaves the session usable. */
export function leavesSessionUsable(error: unknown): boolean {
  const number = numberOf(error);
  return typeof number === 'number' && !unreachable.has(number);
}

/** What a person is told, and what to do next. */
export function classify(error: unknown): { code: ErrorCode; hint: string } {
  return adviceOn(failureOf(numberOf(error)), 'sql/mysql/setup.sql');
}

function failureOf(number: number | string): Failure {
  if (denied.has(number)) return 'denied';
  if (full.has(number)) return 'full';
  if (timedOut.has(number)) return 'timedOut';
  if (number === missingDatabase) return 'noDatabase';
  return unreachable.has(number) || number === '' ? 'unreachable' : 'other';
}
