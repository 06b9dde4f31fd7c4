import type { ErrorCode } from '../../lib/errors.ts';
import { adviceOn, type Failure, socketCodes } from '../failure.ts';

const tooManyConnections = '53300';
/** SQLSTATEs and socket codes by what they mean to Forewarm; a message's text is never looked at. */
const unreachable = new Set<string>([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  tooManyConnections,
  '25P03', // idle_in_transaction_session_timeout
  ...socketCodes,
]);
const denied = new Set([
  '42501', // insufficient_privilege
  '28000', // invalid_authorization_specification
  '28P01', // invalid_password
]);
const timedOut = new Set([
  '57014', // query_canceled: statement_timeout, pg_cancel_backend or a conflict with recovery
  '55P03', // lock_not_available
]);
const undefinedObject = new Set([
  '42883', // undefined_function
  '42P01', // undefined_table
  '42704', // undefined_object
  '3F000', // invalid_schema_name
]);
/** A relation or its file went away between the catalog's answer and its use, or cannot be had now. */
const outOfReach = new Set([
  '40001', // serialization_failure: on a standby, replay needs what the statement holds
  '55P03', // lock_not_available
  '42P01', // undefined_table
  '58P01', // undefined_file
  'XX000', // "could not open relation with OID": an internal error before it got a code of its own
  'XX001', // data_corrupted: a block past the end of a relation truncated meanwhile
  '22023', // invalid_parameter_value: pg_prewarm's check of a block against the relation's length
  '55000', // object_not_in_prerequisite_state
]);
/** The server was too busy, or something stood in the way: the same question may be answered a moment later. */
const passing = new Set([
  ...timedOut,
  '40001', // serialization_failure
  '40P01', // deadlock_detected
]);
const undefinedDatabase = '3D000';

/** The code of a driver's error, or '' where it has none. */
export function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : '';
}

export const isUndefinedObject = (error: unknown): boolean => undefinedObject.has(codeOf(error));
/** What was there, or allowed, when it was last looked at. */
export const isTakenAway = (error: unknown): boolean => isUndefinedObject(error) || denied.has(codeOf(error));
export const isPassing = (sqlState: string): boolean => passing.has(sqlState) || sqlState.startsWith('53');
export const isOutOfReach = (error: unknown): boolean => outOfReach.has(codeOf(error));

/** True for an answer of the server (five characters) that leaves the session usable. */
export function leavesSessionUsable(error: unknown): boolean {
  const code = codeOf(error);
  return /^[0-9A-Z]{5}$/.test(code) && !unreachable.has(code) && !code.startsWith('08');
}

/** What a person is told, and what to do next. */
export function classify(error: unknown): { code: ErrorCode; hint: string } {
  return adviceOn(failureOf(codeOf(error)), 'sql/postgres/setup.sql');
}

function failureOf(code: string): Failure {
  if (denied.has(code)) return 'denied';
  if (timedOut.has(code)) return 'timedOut';
  if (code === undefinedDatabase) return 'noDatabase';
  if (code === tooManyConnections) return 'full';
  // Of the driver's own errors (a connection lost or not made in time) none has a code.
  return unreachable.has(code) || code.startsWith('08') || code === '' ? 'unreachable' : 'other';
}
