import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

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

/** A logger on stderr: lines for a person on a terminal, JSON elsewhere. */
export function createLogger(options: { level?: string; name?: string } = {}): Logger {
  const stream = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' })
    : pino.destination({ dest: 2, sync: true });
  return pino(
    {
      ...(options.name === undefined ? {} : { name: options.name }),
      level: options.level ?? 'info',
      redact: { paths: secretPaths, censor: '[secret]' },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    stream,
  );
}

/** For callers that want no log. */
export const silentLogger: Logger = pino({ level: 'silent' });
