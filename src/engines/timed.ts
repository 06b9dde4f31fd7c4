import type { QueryListener } from './engine.ts';

/** Runs a statement and tells how long it took, whatever became of it. */
export async function timed<T>(
  listener: QueryListener | undefined,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const startMs = performance.now();
  let failed = true;
  try {
    const result = await work();
    failed = false;
    return result;
  } finally {
    listener?.(name, (performance.now() - startMs) / 1000, failed);
  }
}
