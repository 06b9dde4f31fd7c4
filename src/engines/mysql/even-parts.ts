import { type HotPart, means } from './hot-part.ts';
import { scaled } from './match.ts';
import type { StoredIndex } from './stored-indexes.ts';

interface Asked {
  readonly part: HotPart;
  /** Part of the partition's pages that its source holds. */
  readonly held: number;
  readonly size: number;
}

/** Of which as large a part is held, up to this ratio, the same keys are. */
const alikeUpTo = 1.5;
/** Partitions that are asked of one index before those that are left are taken to tell no more. */
const enough = 3;

/** What was found of partitions by hash: each has an even part of all keys, so that one tells of the others. */
export class EvenParts {
  readonly #asked = new Map<string, Asked[]>();

  add(index: StoredIndex, asked: Asked): void {
    const key = keyOf(index);
    if (key !== undefined) this.#asked.set(key, [...(this.#asked.get(key) ?? []), asked]);
  }

  /** By another partition of which about as much is `held`; undefined where this one is to be asked itself. */
  partOf(index: StoredIndex, held: number, size: number): HotPart | undefined {
    const key = keyOf(index);
    const alike = (key === undefined ? [] : (this.#asked.get(key) ?? [])).filter(
      (one) => held <= one.held * alikeUpTo && one.held <= held * alikeUpTo,
    );
    const found = alike.find(({ part }) => part.means === means.probed);
    const told = found ?? (alike.length >= enough ? alike[0] : undefined);
    return told && { ...told.part, ranges: scaled(told.part.ranges, told.size, size) };
  }
}

const keyOf = ({ database, index, evenPartOf }: StoredIndex): string | undefined =>
  evenPartOf === undefined ? undefined : JSON.stringify([database, evenPartOf, index ?? null]);
