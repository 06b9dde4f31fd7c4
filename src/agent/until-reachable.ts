import { describeError, type ErrorCode } from '../lib/errors.ts';
import { retry } from '../lib/retry.ts';
import type { MigrationRun } from './migration-run.ts';

/** What passes by itself: a server or NATS that is restarting. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'database_unreachable',
  'broker_unreachable',
  'source_away',
]);
/** What another attempt may mend. */
const doubtful: ReadonlySet<ErrorCode> = new Set([
  'warming_failed',
  'statement_timeout',
  'no_work_set',
  'internal',
]);
const doubtfulAttempts = 3;

/** Tries again for as long as a server is away, and a few times whatever else happens. */
export async function untilReachable<T>(
  work: () => Promise<T>,
  run: MigrationRun,
  stop: AbortSignal,
): Promise<T> {
  let doubts = 0;
  let away = false;
  const result = await retry(work, {
    signal: stop,
    maxDelayMs: 2_000,
    retryable: (error) => {
      const { code } = describeError(error);
      return passing.has(code) || (doubtful.has(code) && ++doubts < doubtfulAttempts);
    },
    onRetry: (error) => {
      run.logger.warn({ error: (error as Error).message }, 'held up; trying again');
      away ||= describeError(error).code === 'database_unreachable';
    },
  });
  if (away) await run.parts.watch.identify().catch(() => {});
  return result;
}
