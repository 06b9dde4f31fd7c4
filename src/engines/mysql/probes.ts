import type { MysqlConnections, QueryOptions } from './connections.ts';
import { canAskLeast, leastFrom } from './dives.ts';
import type { Guess, Key, KeyNode } from './key-space.ts';
import type { KeyValue } from './key-values.ts';
import { isAllowed } from './privileges.ts';
import { sqlStatement } from './sql.ts';
import type { StoredIndex } from './stored-indexes.ts';

const threadStatement = sqlStatement('own-thread');
const readsStatement = sqlStatement('own-reads');

/**
 * Whether the page of the first entry at or after a key was in the pool; it is afterwards. Undefined: it cannot be asked
 * for, or tells nothing, for it was asked for before.
 */
export type Probe = (guess: Guess) => Promise<boolean | undefined>;

/**
 * Lets `work` ask for single entries of an index. Whether one needed the disk is told by the server's count of what
 * this session alone read from files, so that others' reads do not matter. Undefined where the server keeps none.
 * `division`: of the index, whose bounds were asked for to find it.
 */
export async function withProbe<T>(
  connections: MysqlConnections,
  { index, division }: { readonly index: StoredIndex; readonly division: readonly KeyNode[] },
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
      let known = await count();
      if (known === undefined) return;
      const asked = new Set(
        division.flatMap(({ prefix, low, towards }) => [entryKey(prefix, low), entryKey(prefix, towards)]),
      );
      result = await work(async ({ prefix, value }) => {
        if (!canAskLeast(index, prefix.length)) return undefined;
        const { text, values } = leastFrom(index, prefix, { value, exclusive: false });
        const [found] = await session.run<{ value: KeyValue | null }>(text, values);
        const after = await count();
        const resident = after === known;
        known = after;
        const entry = entryKey(prefix, found?.value);
        if (asked.has(entry)) return undefined;
        asked.add(entry);
        return resident;
      });
    }),
  );
  return result;
}

const entryKey = (prefix: Key, value: KeyValue | null | undefined): string => JSON.stringify([prefix, value]);
