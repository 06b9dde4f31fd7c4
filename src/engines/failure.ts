import type { ErrorCode } from '../lib/errors.ts';

/** What an error of a database, its driver or its socket means to Forewarm. */
export type Failure = 'denied' | 'timedOut' | 'noDatabase' | 'unreachable' | 'full' | 'other';

/** Codes of a socket to a server that is down or out of reach. */
export const socketCodes = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT', // the unix socket of a server that is down
] as const;

/** What a person is told, and what to do next; `setup` is the file with the grants. */
export function adviceOn(failure: Failure, setup: string): { code: ErrorCode; hint: string } {
  switch (failure) {
    case 'denied':
      return {
        code: 'database_denied',
        hint: `Run ${setup} as an administrator of the primary, and check database.url.`,
      };
    case 'timedOut':
      return {
        code: 'statement_timeout',
        hint: 'Raise database.statementTimeout, or look at what loads the server or holds the lock.',
      };
    case 'noDatabase':
      return {
        code: 'config_invalid',
        hint: 'Check database.url and database.databases in the configuration.',
      };
    case 'unreachable':
      return { code: 'database_unreachable', hint: 'Check database.url and that the server runs.' };
    case 'full':
      return {
        code: 'database_unreachable',
        hint: 'The server takes no more connections: raise its limit (max_connections, or that of the role), or end some.',
      };
    case 'other':
      return {
        code: 'internal',
        hint: "Please report it with the log; the server's own code is in the message.",
      };
  }
}
