import type { Key } from './key-division.ts';
import type { KeyValue } from './key-values.ts';

/** An entry of an index that a question found. */
export interface Answer {
  readonly prefix: Key;
  readonly value: KeyValue;
  /** Its page was in the pool; it is afterwards. */
  readonly resident: boolean;
}

const most = 4_096;

/** Entries of one index that were asked for. Each question brings its page: asked again, it tells of the question before. */
export class AskedEntries {
  readonly #entries = new Map<string, Answer>();

  has(prefix: Key, value: KeyValue): boolean {
    return this.#entries.has(entryKey(prefix, value));
  }

  add(answer: Answer): void {
    this.#entries.set(entryKey(answer.prefix, answer.value), answer);
    const oldest = this.#entries.size > most ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  /** Those whose pages were brought by the question, the newest last. */
  get brought(): readonly Answer[] {
    return [...this.#entries.values()].filter(({ resident }) => !resident);
  }
}

const entryKey = (prefix: Key, value: KeyValue): string => JSON.stringify([...prefix, value]);
