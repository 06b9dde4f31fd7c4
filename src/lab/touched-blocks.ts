import { rowsPerBlock } from './app-data.ts';
import type { IdRange } from './load-pattern.ts';

/**
 * Which blocks of its table an application has read: the table's rows fill its blocks in the order of their
 * ids, `rowsPerBlock` each.
 */
export class TouchedBlocks {
  readonly #bits: Uint8Array;

  constructor(rowCount: number) {
    this.#bits = new Uint8Array(Math.ceil(rowCount / rowsPerBlock / 8) + 1);
  }

  mark([from, to]: IdRange): void {
    const last = Math.floor((to - 1) / rowsPerBlock);
    for (let block = Math.floor((from - 1) / rowsPerBlock); block <= last; block++) {
      this.#bits[block >> 3] = (this.#bits[block >> 3] ?? 0) | (1 << (block & 7));
    }
  }

  /** As text; `blocksOf` reads it. */
  encode(): string {
    return Buffer.from(this.#bits).toString('base64');
  }

  /** Block numbers in rising order. */
  static blocksOf(text: string): number[] {
    const blocks: number[] = [];
    Buffer.from(text, 'base64').forEach((byte, at) => {
      for (let bit = 0; bit < 8; bit++) if ((byte >> bit) & 1) blocks.push(at * 8 + bit);
    });
    return blocks;
  }
}
