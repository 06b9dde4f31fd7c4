import { performance } from 'node:perf_hooks';
import { ForewarmError } from '../../lib/errors.ts';
import type { MysqlConnections } from './connections.ts';
import { isOutOfReach, isTimedOut } from './error-numbers.ts';
import type { KeySpaces } from './key-spaces.ts';
import { withProbe } from './probes.ts';
import { type StoredIndex, storedKey } from './stored-indexes.ts';
import { type Cell, type Stretch, survey } from './survey.ts';

/** Stretches at the first look, and questions with those of the second. */
const cells = 192;
const questions = 384;
/** Each question may bring a page: of a small index at most this part is asked for. */
const askedPart = 0.25;
const fewest = 8;
/** Pages behind a cut of the index's division that the server read for its estimates. */
const pagesOfCut = 24;

export interface SurveyBounds {
  /** Time for questions; what is known by then must do. */
  readonly forMs: number;
  readonly signal?: AbortSignal | undefined;
}

interface Kept {
  readonly count: number;
  readonly takenMs: number;
  readonly cells: readonly Cell[];
}

/** A survey serves for so long, unless what is cached of the index grew or shrank by more than this part. */
const keptMs = 30_000;
const changed = 0.2;

/** Which stretches of an index the pool holds. Every survey asks anew for other keys, and brings at most as many pages as it asks. */
export class Surveys {
  readonly #connections: MysqlConnections;
  readonly #spaces: KeySpaces;
  readonly #kept = new Map<string, Kept>();

  /** All surveys of one work set together: what asks for it waits for seconds, not for minutes. */
  readonly workSetMs: number;

  constructor(connections: MysqlConnections, spaces: KeySpaces, workSetMs = 2_500) {
    this.workSetMs = workSetMs;
    this.#connections = connections;
    this.#spaces = spaces;
  }

  /** Of a whole index of which `count` pages are cached; one of a short while ago serves. Empty where nothing can tell. */
  async whole(index: StoredIndex, count: number, bounds: SurveyBounds): Promise<readonly Cell[]> {
    const key = storedKey(index);
    const kept = this.#kept.get(key);
    const nowMs = performance.now();
    if (kept !== undefined && nowMs - kept.takenMs < keptMs) {
      if (Math.abs(count - kept.count) <= kept.count * changed) return kept.cells;
    }
    const found = await this.of(index, [{ from: 0, to: 1 }], bounds);
    this.#kept.set(key, { count, takenMs: performance.now(), cells: found });
    return found;
  }

  /** Of these stretches of it, now. */
  async of(
    index: StoredIndex,
    region: readonly Stretch[],
    { forMs, signal }: SurveyBounds,
  ): Promise<readonly Cell[]> {
    const width = region.reduce((sum, { from, to }) => sum + to - from, 0);
    const most = Math.min(questions, Math.floor(index.pages * width * askedPart));
    if (most < fewest) return [];
    const space = this.#spaces.of(index);
    try {
      // Before the survey: it holds the one connection for walks.
      await space.prepare();
      const untilMs = performance.now() + forMs;
      const found = await withProbe(this.#connections, index, { signal }, (probe) =>
        survey({
          region,
          cells: Math.min(cells, Math.ceil(most / 2)),
          questions: most,
          ask: async (place) => {
            const guess = await space.guessAt(place, pagesOfCut / index.pages);
            return guess === undefined ? undefined : probe(guess);
          },
          isOver: () => performance.now() > untilMs || signal?.aborted === true,
          random: Math.random,
        }),
      );
      return found ?? [];
    } catch (error) {
      const cause = error instanceof ForewarmError ? error.cause : undefined;
      if (signal?.aborted || !(isOutOfReach(cause) || isTimedOut(cause))) throw error;
      return [];
    }
  }
}
