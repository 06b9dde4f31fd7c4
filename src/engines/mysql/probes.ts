import type { Answer, AskedEntries, Entry } from './asked-entries.ts';
import type { MysqlConnections, QueryOptions, Session } from './connections.ts';
import { canAskLeast, edgesUnder, leastFrom } from './dives.ts';
import type { Key } from './key-division.ts';
import type { Guess } from './key-space.ts';
import { interpolate, type KeyValue } from './key-values.ts';
import { isAllowed } from './privileges.ts';
import { sqlStatement } from './sql.ts';
import type { StoredIndex } from './stored-indexes.ts';

const threadStatement = sqlStatement('own-thread');
const readsStatement = sqlStatement('own-reads');

export interface Prober {
  /**
   * Asks for the first entry at or after a key; where that was asked for before, for one anywhere among the rows with
   * its value, if another column tells them apart. Undefined: there is none that was not asked for before.
   */
  ask(guess: Guess): Promise<Answer | undefined>;
  /** Whether the page of an entry that was asked for before is in the pool; it is afterwards. */
  isHeld(entry: Entry): Promise<boolean>;
  /** Pages that this session has read from the disk so far, of whatever. */
  reads(): Promise<number>;
}

/**
 * Lets `work` ask for single entries of an index. Whether one needed the disk is told by the server's count of what
 * this session alone read from files, so that others' reads do not matter. Undefined where the server keeps none.
 */
export async function withProber<T>(
  connections: MysqlConnections,
  of: { readonly index: StoredIndex; readonly asked: AskedEntries },
  options: QueryOptions,
  work: (prober: Prober) => Promise<T>,
): Promise<T | undefined> {
  if (of.index.keyName === undefined) return undefined;
  let result: T | undefined;
  await isAllowed(() =>
    connections.session({ ...options, purpose: 'walk', as: 'probe-key' }, async (session) => {
      const count = await readCounter(session);
      if ((await count()) === undefined) return;
      result = await work(new SessionProber(of, session, async () => (await count()) ?? 0));
    }),
  );
  return result;
}

/** What the connection for walks has read from files so far, and whose count that is; undefined where the server keeps none. */
export async function walkReads(
  connections: MysqlConnections,
  options: QueryOptions,
): Promise<{ readonly threadId: number; readonly reads: number } | undefined> {
  return connections.session({ ...options, purpose: 'walk', as: 'probe-key' }, async (session) => {
    const [thread] = await session.query<{ threadId: number }>(threadStatement);
    const reads = await (await readCounter(session))();
    return thread === undefined || reads === undefined ? undefined : { threadId: thread.threadId, reads };
  });
}

async function readCounter(session: Session): Promise<() => Promise<number | undefined>> {
  const [thread] = await session.query<{ threadId: number }>(threadStatement);
  return async () =>
    (await session.query<{ readCount: number }>(readsStatement, [thread?.threadId ?? 0]))[0]?.readCount;
}

class SessionProber implements Prober {
  readonly #index: StoredIndex;
  readonly #asked: AskedEntries;
  readonly #session: Session;
  readonly reads: () => Promise<number>;
  readonly #edges = new Map<string, readonly [KeyValue, KeyValue] | undefined>();
  #known: number | undefined;

  constructor(
    { index, asked }: { readonly index: StoredIndex; readonly asked: AskedEntries },
    session: Session,
    reads: () => Promise<number>,
  ) {
    this.#index = index;
    this.#asked = asked;
    this.#session = session;
    this.reads = reads;
  }

  async ask({ prefix, value }: Guess): Promise<Answer | undefined> {
    if (!canAskLeast(this.#index, prefix.length)) return undefined;
    const answer = await this.#find(prefix, value);
    if (answer === undefined) return undefined;
    if (!this.#asked.has(prefix, answer.value)) {
      this.#asked.add(answer);
      return answer;
    }
    const under = [...prefix, answer.value];
    const type = this.#index.columns[under.length]?.type;
    const edges = type === undefined ? undefined : await this.#edgesUnder(under);
    const within = edges && interpolate(type!, ...edges, Math.random());
    return within === undefined ? undefined : this.ask({ prefix: under, value: within });
  }

  async isHeld({ prefix, value }: Entry): Promise<boolean> {
    return (await this.#find(prefix, value))?.resident ?? false;
  }

  async #find(prefix: Key, value: KeyValue): Promise<Answer | undefined> {
    this.#known ??= await this.reads();
    const { text, values } = leastFrom(this.#index, prefix, { value, exclusive: false });
    const [found] = await this.#session.run<{ value: KeyValue | null }>(text, values);
    const after = await this.reads();
    const resident = after === this.#known;
    this.#known = after;
    return found?.value == null ? undefined : { prefix, value: found.value, resident };
  }

  /** The first and the last value of the column after a prefix. */
  async #edgesUnder(prefix: Key): Promise<readonly [KeyValue, KeyValue] | undefined> {
    if (!canAskLeast(this.#index, prefix.length)) return undefined;
    const key = JSON.stringify(prefix);
    if (this.#edges.has(key)) return this.#edges.get(key);
    const { text, values } = edgesUnder(this.#index, prefix);
    const [found] = await this.#session.run<{ low: KeyValue | null; high: KeyValue | null }>(text, values);
    this.#known = undefined;
    const edges = found?.low == null || found.high === null ? undefined : ([found.low, found.high] as const);
    this.#edges.set(key, edges);
    return edges;
  }
}
