import { type KV, type KvEntry, KvWatchInclude } from 'nats';
import { z } from 'zod';
import { ForewarmError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { isConflict, jetStreamError } from './topology.ts';

export interface Stored<T> {
  readonly key: string;
  readonly value: T;
  readonly revision: number;
}

/** A key-value bucket whose entries are checked on the way out; a malformed one is skipped with a warning. */
export class Bucket<T> {
  readonly #kv: KV;
  readonly #schema: z.ZodType<T>;
  readonly #logger: Logger;

  constructor(kv: KV, schema: z.ZodType<T>, logger: Logger) {
    this.#kv = kv;
    this.#schema = schema;
    this.#logger = logger;
  }

  async get(key: string): Promise<Stored<T> | null> {
    return (await this.getWithRevision(key)).stored;
  }

  /** Writes whatever was there; returns the revision. */
  async put(key: string, value: T): Promise<number> {
    return await this.#kv.put(key, this.#encode(key, value)).catch((error) => {
      throw jetStreamError(error);
    });
  }

  /** Writes only when the key is new; null when it is not. */
  async create(key: string, value: T): Promise<number | null> {
    return await this.#unlessConflict(() => this.#kv.create(key, this.#encode(key, value)));
  }

  /** Writes only over that revision; null when somebody else wrote in between. */
  async replace(key: string, value: T, revision: number): Promise<number | null> {
    return await this.#unlessConflict(() => this.#kv.update(key, this.#encode(key, value), revision));
  }

  /**
   * The entry, and the revision of the last write or deletion, which is null where the key never was. Revisions of a
   * bucket only rise.
   */
  async getWithRevision(key: string): Promise<{ stored: Stored<T> | null; lastRevision: number | null }> {
    const entry = await this.#kv.get(key).catch((error) => {
      throw jetStreamError(error);
    });
    return { stored: entry === null ? null : this.#read(entry), lastRevision: entry?.revision ?? null };
  }

  async delete(key: string): Promise<void> {
    await this.#kv.delete(key).catch((error) => {
      throw jetStreamError(error);
    });
  }

  /** Current entries by one request, however many they are; `filter` may hold NATS wildcards. */
  async list(filter?: string): Promise<Stored<T>[]> {
    const found = new Map<string, Stored<T>>();
    const complete = new AbortController();
    for await (const { key, stored } of this.watch(filter, complete.signal, () => complete.abort())) {
      if (stored === null) found.delete(key);
      else found.set(key, stored);
    }
    return [...found.values()];
  }

  /**
   * Entries as they are and as they change; `null` is a deleted one. Ends when the signal aborts. `onCurrent` is
   * called when all that were there have been given out; with `history` that is every value that the bucket still
   * keeps, the oldest first.
   */
  async *watch(
    key: string | undefined,
    signal: AbortSignal,
    onCurrent?: () => void,
    { history = false }: { readonly history?: boolean } = {},
  ): AsyncGenerator<{ key: string; stored: Stored<T> | null }> {
    const options = {
      ...(key === undefined ? {} : { key }),
      ...(history ? { include: KvWatchInclude.AllHistory } : {}),
      // It may be called before the entries that it follows are given out.
      ...(onCurrent === undefined ? {} : { initializedFn: () => setImmediate(onCurrent) }),
    };
    const iterator = await this.#kv.watch(options).catch((error) => {
      throw jetStreamError(error);
    });
    const stop = () => iterator.stop();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      for await (const entry of iterator) yield { key: entry.key, stored: this.#read(entry) };
    } finally {
      signal.removeEventListener('abort', stop);
      iterator.stop();
    }
  }

  async #unlessConflict(write: () => Promise<number>): Promise<number | null> {
    try {
      return await write();
    } catch (error) {
      if (isConflict(error)) return null;
      throw jetStreamError(error);
    }
  }

  /** What readers would skip is not written: it would be lost without a word. */
  #encode(key: string, value: T): string {
    const checked = this.#schema.safeParse(value);
    if (checked.success) return JSON.stringify(value);
    throw new ForewarmError(
      'internal',
      `an entry ${key} is not of the wire format: ${z.prettifyError(checked.error)}`,
    );
  }

  #read(entry: KvEntry): Stored<T> | null {
    if (entry.operation !== 'PUT') return null;
    try {
      return {
        key: entry.key,
        value: this.#schema.parse(JSON.parse(entry.string())),
        revision: entry.revision,
      };
    } catch (error) {
      this.#logger.warn(
        { bucket: entry.bucket, key: entry.key, error: String(error).slice(0, 300) },
        'skipped a malformed entry',
      );
      return null;
    }
  }
}

/** For keys that come from outside: a bucket key of two names, as in `db1.app1`. */
export function pairKey(first: string, second: string): string {
  if (first.includes('.') || second.includes('.')) {
    throw new ForewarmError('name_invalid', `names may not hold a dot: ${JSON.stringify([first, second])}`);
  }
  return `${first}.${second}`;
}
