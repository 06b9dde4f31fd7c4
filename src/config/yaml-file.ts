import { readFileSync } from 'node:fs';
import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import type { ConfigFault } from './faults.ts';

export type Keys = readonly (string | number)[];

/** A YAML file that knows where each of its values stands. */
export class YamlFile {
  readonly name: string;
  readonly faults: readonly ConfigFault[];
  readonly #document: Document;
  readonly #lines: LineCounter;

  constructor(name: string, text: string) {
    this.name = name;
    this.#lines = new LineCounter();
    // Pretty errors quote the line, and a line may hold a password.
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    const faults = this.#document.errors.map((error) => ({
      place: this.#at(error.pos[0]),
      path: '',
      message: `is not YAML: ${error.message.split(': ')[0]}`,
    }));
    const { contents } = this.#document;
    if (faults.length === 0 && contents !== null && !isMap(contents) && !isEmpty(contents)) {
      faults.push({ place: this.#at(0), path: '', message: 'must be a map of options' });
    }
    if (faults.length === 0) {
      try {
        this.#document.toJS();
      } catch {
        // An alias without an anchor; its message would quote it, and it may be an unquoted password.
        faults.push({
          place: name,
          path: '',
          message: 'is not YAML: a value that begins with * needs quotes',
        });
      }
    }
    this.faults = faults;
  }

  /** Undefined when there is no such file; other errors of the file system are a fault. */
  static read(name: string): YamlFile | ConfigFault | undefined {
    try {
      return new YamlFile(name, readFileSync(name, 'utf8'));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return undefined;
      return { place: name, path: '', message: `cannot be read (${code ?? 'unknown error'})` };
    }
  }

  /** The keys of the map at that place; undefined when it is no map. */
  keysAt(keys: Keys): readonly string[] | undefined {
    const node = this.#map(keys);
    return node?.items.map((pair) => String(isScalar(pair.key) ? pair.key.value : pair.key));
  }

  /** The plain value; undefined when it is not there. */
  valueAt(keys: Keys): unknown {
    const node = keys.length === 0 ? this.#document.contents : this.#document.getIn(keys, true);
    return isNode(node) ? node.toJS(this.#document) : node;
  }

  /** `file:line:column` of a value, or of the nearest one around it. */
  placeOf(keys: Keys): string {
    for (let length = keys.length; length > 0; length--) {
      const node = this.#document.getIn(keys.slice(0, length), true);
      if (isNode(node) && node.range) return this.#at(node.range[0]);
    }
    return this.#at(0);
  }

  /** `file:line:column` of a key in the map at that place. */
  placeOfKey(keys: Keys, key: string): string {
    const pair = this.#map(keys)?.items.find(
      (item) => isPair(item) && String(isScalar(item.key) ? item.key.value : item.key) === key,
    );
    return isNode(pair?.key) && pair.key.range ? this.#at(pair.key.range[0]) : this.placeOf(keys);
  }

  #map(keys: Keys): YAMLMap | undefined {
    const node = keys.length === 0 ? this.#document.contents : this.#document.getIn(keys, true);
    return isMap(node) ? node : undefined;
  }

  #at(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.name}:${Math.max(1, line)}:${Math.max(1, col)}`;
  }
}

function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.value === null;
}
