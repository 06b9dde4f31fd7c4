import type { MysqlConnections, QueryOptions } from './connections.ts';
import { canAskLeast, leastFrom } from './dives.ts';
import type { Guess } from './key-space.ts';
import type { KeyValue } from './key-values.ts';
import { isAllowed } from './privileges.ts';
import { sqlStatement } from './sql.ts';
import type { StoredIndex } from './stored-indexes.ts';

const threadStatement = sqlStatement('own-thread');
const readsStatement = sqlStatement('own-reads');

/** Whether the page of the first entry at or after a key was in the pool; it is afterwards. Undefined: it cannot be asked for. */
export type Probe = (guess: Guess) => Promise<boolean | undefined>;

/**
 * Lets `work` ask for single entries of an index. Whether one needed the disk is told by the server's count of what
 * this session alone read from files, so that others' reads do not matter. Undefined where the server keeps none.
 */
export async function withProbe<T>(
  connections: MysqlConnections,
  index: StoredIndex,
  options: QueryOptions,
  work: (probe: Probe) => Promise<T>,
): Promise<T | undefined> {
  if (index.keyName === undefined) return undefined;
  let result: T | undefined;
  await isAllowed(() =>
    connections.session({ ...options, purpose: 'walk', as: 'probe-key' }, async (session) => {
      const [thread] = await session.query<{ threadId: number }>(threadStatement);
      const count = async () =>
        (await session.query<{ readCount: number }>(readsStatement, [thread?.threadId ?? 0]))[0]?.readCount;
      let before = await count();
      if (before === undefined) return;
      const asked = new Set<string>();
      result = await work(async (guess) => {
        if (!canAskLeast(index, guess.prefix.length)) return undefined;
        const { text, values } = leastFrom(index, guess.prefix, { value: guess.value, exclusive: false });
        const [found] = await session.run<{ value: KeyValue | null }>(text, values);
        const after = await count();
        const resident = after === before;
        before = after;
        // An entry that was asked for before was brought by that.
        const entry = JSON.stringify([guess.prefix, found?.value]);
        const again = asked.has(entry);
        asked.add(entry);
        return again ? undefined : resident;
      });
    }),
  );
  return result;
}
