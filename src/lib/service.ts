/** What a daemon is made of. */
export interface Service {
  readonly name: string;
  /** Works until `signal` aborts; a rejection ends the daemon. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Runs services together: the first that fails stops the others, and its error is thrown
 * once all have ended.
 */
export async function runServices(services: readonly Service[], signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const combined = AbortSignal.any([signal, stop.signal]);
  const results = await Promise.allSettled(
    services.map(async (service) => {
      try {
        await service.run(combined);
      } finally {
        stop.abort();
      }
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
