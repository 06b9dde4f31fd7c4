/** Every error code with what it means and what to do; the README's table is made from it. */
export const errorCodes = {
  config_invalid:
    'The configuration file, an environment variable or a flag is wrong; the message names its place.',
  name_invalid: 'A VM, replica or migration name is not 1 to 64 of A-Z a-z 0-9 _ -.',
  message_malformed: 'A message is not JSON of the wire format; its publisher must be mended.',
  version_unsupported:
    'A message has a wire format version that this Forewarm does not speak; upgrade the older side.',
  broker_unreachable: 'NATS does not answer; check nats.url and that the server runs.',
  broker_no_jetstream: 'NATS answers without JetStream; start it with `-js` or a jetstream block.',
  broker_denied: 'NATS refused the credentials or a subject; check nats.creds and the account permissions.',
  database_unreachable: 'The database does not answer; check database.url and that the server runs.',
  database_denied:
    'The database refused the role or a privilege; run setup.sql of sql/postgres or sql/mysql.',
  statement_timeout:
    'A statement took longer than database.statementTimeout, or a lock was not had; raise it or lighten the server.',
  database_unsupported: 'The database server is too old or of an engine that Forewarm does not know.',
  extension_missing: 'A server extension is missing; the message names the statement that installs it.',
  replica_unknown: 'No agent answers for that replica; `forewarm status` lists the replicas at hand.',
  source_unknown: 'The intent names no source, and the VM has neither a route nor a published profile.',
  same_replica: 'Source and target are the same replica: there is nothing to warm.',
  vm_unknown:
    "No rule of the source agent's configuration leads to this VM, and no profile of it was published.",
  deadline_past: 'The deadline had passed before the intent was taken, or lies before its issue.',
  migration_unknown: 'There is no migration of that id, or the VM has none under way.',
  superseded: 'A newer intent for the same VM took its place.',
  source_away: "The source's agent does not answer; the last published profile serves, if there is one.",
  no_work_set: 'Neither the source agent nor a published profile could say what the VM reads.',
  warming_failed: 'The target could not read what was planned; the message has the cause.',
  route_conflict: 'The route changed at the same moment; look at it and try again.',
  output_failed:
    'A file, a command or PgBouncer could not be brought to the route; the message has the cause, and it is tried again.',
  hypervisor_failed: 'The hypervisor refused, failed or does not answer; the message has its words.',
  lab_unavailable: 'A test server could not be started on this machine; the message has the cause.',
  internal: 'A fault of Forewarm itself; please report it with the log.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error that a person is shown: what is wrong, where (message), and what to do next (hint). */
export class ForewarmError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ForewarmError';
    this.code = code;
    this.hint = options.hint;
  }
}

/** The code and message of anything that was thrown; codes other than ours become `internal`. */
export function describeError(error: unknown): { code: ErrorCode; message: string } {
  if (error instanceof ForewarmError) return { code: error.code, message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message || error.name : String(error) };
}
