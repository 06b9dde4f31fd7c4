import { systemClock } from './clock.ts';
import { ForewarmError } from './errors.ts';

const hints = {
  broker_unreachable: 'Check nats.url and that nats-server runs there.',
  database_unreachable: 'Check the connection string and that the server runs there.',
} as const;

/** The work's result, or a rejection with `code` (`broker_unreachable`) after `ms` or when the signal aborts. */
export async function within<T>(
  what: string,
  work: Promise<T>,
  bound: { readonly ms: number; readonly signal?: AbortSignal; readonly code?: keyof typeof hints },
): Promise<T> {
  const done = new AbortController();
  const signals = bound.signal === undefined ? [done.signal] : [done.signal, bound.signal];
  const late = systemClock.sleep(bound.ms, AbortSignal.any(signals)).then((): never => {
    const reason = bound.signal?.aborted ? 'interrupted' : `no answer within ${Math.round(bound.ms)} ms`;
    const code = bound.code ?? 'broker_unreachable';
    throw new ForewarmError(code, `${what}: ${reason}`, { hint: hints[code] });
  });
  // Whichever loses the race may still reject.
  late.catch(() => {});
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}
