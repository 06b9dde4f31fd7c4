import type { Key } from './key-division.ts';
import type { KeyValue } from './key-values.ts';

/** One of an index, by the values of its first columns. */
export interface Entry {
  readonly prefix: Key;
  readonly value: KeyValue;
}

/** An entry of an index that a question found. */
export interface Answer extends Entry {
  /** Its page was in the pool; it is afterwards. */
  readonly resident: boolean;
}

const most = 4_096;

/** Entries of one index that were asked for. Each question brings its page: asked again, it tells of the question before. */
export class AskedEntries {
  readonly #entries = new Map<string, Answer>();
  readonly #divided = new Map<string, Entry>();

  has(prefix: Key, value: KeyValue): boolean {
    const key = entryKey(prefix, value);
    return this.#entries.has(key) || this.#divided.has(key);
  }

  /** What the division of the index asked for: its page is in the pool now, and nobody knows whether it was. */
  addDivided(entry: Entry): void {
    if (this.#divided.size < most) this.#divided.set(entryKey(entry.prefix, entry.value), entry);
  }

  add(answer: Answer): void {
    this.#entries.set(entryKey(answer.prefix, answer.value), answer);
    const oldest = this.#entries.size > most ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  /** Up to `count` of those whose pages questions have brought, evenly from all of them, else of those that they may have. */
  someBrought(count: number): readonly Entry[] {
    const brought: Entry[] = [...this.#entries.values()].filter(({ resident }) => !resident);
    const all = brought.length < count ? [...brought, ...this.#divided.values()] : brought;
    return Array.from(
      { length: Math.min(count, all.length) },
      (_, at) => all[Math.floor((at * all.length) / Math.min(count, all.length))]!,
    );
  }
}

const entryKey = (prefix: Key, value: KeyValue): string => JSON.stringify([...prefix, value]);
