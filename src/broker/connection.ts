import { readFile } from 'node:fs/promises';
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  DebugEvents,
  ErrorCode,
  Events,
  type NatsConnection,
  NatsError,
} from 'nats';
import { ForewarmError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

export interface BrokerOptions {
  /** One URL or several with commas between; `user:password@` or `token@` in the first counts where nothing else is given. */
  readonly url: string;
  /** Path of a credentials file. */
  readonly creds?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  readonly prefix?: string | undefined;
  /** Shown in NATS's own monitoring. */
  readonly name: string;
  readonly logger: Logger;
  /** Bound of the first connection and of every request, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** Connects and reconnects for ever; tells a logger, if there is one, of losses. Rejects with `broker_unreachable` or `broker_denied`. */
export async function openConnection(
  options: Omit<BrokerOptions, 'logger'> & Partial<Pick<BrokerOptions, 'logger'>>,
): Promise<NatsConnection> {
  const servers = options.url.split(',').map((server) => server.trim());
  const isGiven = [options.user, options.token, options.creds].some((one) => one !== undefined);
  const settings: ConnectionOptions = {
    servers,
    // NATS's library leaves out who a URL names.
    ...(isGiven ? {} : identityIn(servers[0] ?? '')),
    name: options.name,
    timeout: options.timeoutMs ?? 5_000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    // A half-open connection is noticed within 15 s.
    pingInterval: 5_000,
    maxPingOut: 2,
    // Errors are wrapped by us; a stack trace for each request costs more than the rest of it.
    noAsyncTraces: true,
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(options.password === undefined ? {} : { pass: options.password }),
    ...(options.token === undefined ? {} : { token: options.token }),
    ...(options.creds === undefined
      ? {}
      : { authenticator: credsAuthenticator(await readFile(options.creds)) }),
  };
  let connection: NatsConnection;
  try {
    connection = await connect(settings);
  } catch (error) {
    throw connectionError(error, options.url);
  }
  if (options.logger !== undefined) void logStatus(connection, options.logger);
  return connection;
}

function identityIn(url: string): { user: string; pass: string } | { token: string } | undefined {
  const userinfo = /^(?:[a-z]+:\/\/)?([^@/]+)@/i.exec(url)?.[1];
  if (userinfo === undefined) return undefined;
  const colon = userinfo.indexOf(':');
  if (colon < 0) return { token: decoded(userinfo) };
  return { user: decoded(userinfo.slice(0, colon)), pass: decoded(userinfo.slice(colon + 1)) };
}

/** As it stands where a `%` is no escape. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const deniedCodes: ReadonlySet<string> = new Set([
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.BadAuthentication,
  ErrorCode.BadCreds,
  ErrorCode.PermissionsViolation,
]);

function connectionError(error: unknown, url: string): ForewarmError {
  // Also of a URL that is none, for a password may have a slash.
  const where = url.replaceAll(/\/\/[^,]*@/g, '//');
  if (error instanceof NatsError && deniedCodes.has(error.code)) {
    return new ForewarmError('broker_denied', `NATS at ${where} refused the credentials`, {
      hint: 'Check nats.creds, nats.user and nats.password, or who the URL names.',
      cause: error,
    });
  }
  return new ForewarmError(
    'broker_unreachable',
    `NATS at ${where} does not answer: ${(error as Error).message}`,
    {
      hint: 'Check nats.url and that nats-server runs there.',
      cause: error,
    },
  );
}

async function logStatus(connection: NatsConnection, logger: Logger): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === Events.Disconnect) logger.warn('NATS connection lost; reconnecting');
    else if (status.type === Events.Reconnect) logger.info('NATS connection is back');
    else if (status.type === Events.Error) logger.warn({ error: status.data }, 'NATS reported an error');
    else if (status.type === Events.LDM) logger.info('NATS server asks its clients to move');
    else if (status.type === DebugEvents.StaleConnection) logger.warn('NATS connection is stale');
  }
}
