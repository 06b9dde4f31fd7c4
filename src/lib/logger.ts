import pino, { type Logger } from 'pino';
import pretty, { type PrettyOptions } from 'pino-pretty';

export type { Logger } from 'pino';

/** Where a value must never reach a log: connection strings and credentials. */
const secretPaths = [
  'url',
  'password',
  'creds',
  'token',
  'connectionString',
  '*.url',
  '*.password',
  '*.creds',
  '*.token',
  '*.connectionString',
];

/** One line an event: when, how grave, whose, what, and the other fields behind it. */
export const terminalLines: PrettyOptions = {
  singleLine: true,
  translateTime: 'HH:MM:ss.l',
  ignore: 'pid,hostname,replica,migration,vm',
  messageFormat: '{if replica}{replica} {end}{if migration}{migration} {end}{if vm}{vm} {end}{msg}',
};

/** What a driver quotes in an error's text: user and password, or token, of a URL. */
const userinfo = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s@/"'\\]+@/gi;

export const withoutSecrets = (line: string): string => line.replace(userinfo, '$1[secret]@');

/** A logger on stderr: lines for a person on a terminal, JSON elsewhere. */
export function createLogger(options: { level?: string; name?: string } = {}): Logger {
  const stream = process.stderr.isTTY
    ? pretty({ ...terminalLines, destination: 2, sync: true })
    : pino.destination({ dest: 2, sync: true });
  return pino(
    {
      ...(options.name === undefined ? {} : { name: options.name }),
      level: options.level ?? 'info',
      redact: { paths: secretPaths, censor: '[secret]' },
      hooks: { streamWrite: withoutSecrets },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    stream,
  );
}

/** For callers that want no log. */
export const silentLogger: Logger = pino({ level: 'silent' });
