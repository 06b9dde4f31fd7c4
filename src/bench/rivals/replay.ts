import type { LoggedStatement } from './sampled-statements.ts';
import { replayed } from './way.ts';

interface ReplayClient {
  run(statement: LoggedStatement): Promise<void>;
  close(): Promise<void>;
}

/** Runs each statement once, in their order, over a few connections. */
export async function replaySamples(
  statements: readonly LoggedStatement[],
  open: () => Promise<ReplayClient>,
): Promise<undefined> {
  const waiting = [...statements];
  const work = async () => {
    const client = await open();
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await client.run(next);
    } finally {
      await client.close();
    }
  };
  await Promise.all(Array.from({ length: replayed.connections }, work));
  return undefined;
}
