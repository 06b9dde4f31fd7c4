import { performance } from 'node:perf_hooks';
import { ForewarmError } from '../../lib/errors.ts';
import type { KeyPlace } from '../../planning/work-set.ts';
import type { MysqlConnections } from './connections.ts';
import { isOutOfReach, isTimedOut } from './error-numbers.ts';
import { placesOf } from './key-places.ts';
import type { KeyFinder } from './key-space.ts';
import { type KeySpaces, typesOf } from './key-spaces.ts';
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

/** Which stretches of a whole index are held, and the division by which their keys were found. */
export interface WholeSurvey {
  readonly cells: readonly Cell[];
  /** Undefined where another copy of the index could not use it. */
  readonly places: readonly KeyPlace[] | undefined;
}

interface Kept extends WholeSurvey {
  readonly count: number;
  readonly takenMs: number;
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
  async whole(index: StoredIndex, count: number, bounds: SurveyBounds): Promise<WholeSurvey> {
    const key = storedKey(index);
    const kept = this.#kept.get(key);
    const nowMs = performance.now();
    if (kept !== undefined && nowMs - kept.takenMs < keptMs) {
      if (Math.abs(count - kept.count) <= kept.count * changed) return kept;
    }
    const finder = this.#spaces.of(index);
    const cells = await this.of({ index, finder }, [{ from: 0, to: 1 }], bounds);
    const places = cells.length === 0 ? undefined : placesOf(await finder.nodes(), typesOf(index));
    const found = { cells, places };
    this.#kept.set(key, { count, takenMs: performance.now(), ...found });
    return found;
  }

  /** Of these stretches of it, now. */
  async of(
    { index, finder }: { readonly index: StoredIndex; readonly finder: KeyFinder },
    region: readonly Stretch[],
    { forMs, signal }: SurveyBounds,
  ): Promise<readonly Cell[]> {
    const width = region.reduce((sum, { from, to }) => sum + to - from, 0);
    const most = Math.min(questions, Math.floor(index.pages * width * askedPart));
    if (most < fewest) return [];
    try {
      // Before the survey: it holds the one connection for walks.
      const division = await finder.nodes();
      const untilMs = performance.now() + forMs;
      const found = await withProbe(this.#connections, { index, division }, { signal }, (probe) =>
        survey({
          region,
          cells: Math.min(cells, Math.ceil(most / 2)),
          questions: most,
          ask: async (place) => {
            const guess = await finder.guessAt(place, pagesOfCut / index.pages);
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
