import { performance } from 'node:perf_hooks';
import { ForewarmError } from '../../lib/errors.ts';
import type { KeyPlace } from '../../planning/work-set.ts';
import { AskedEntries } from './asked-entries.ts';
import type { MysqlConnections } from './connections.ts';
import { isOutOfReach, isTimedOut } from './error-numbers.ts';
import { placesOf } from './key-places.ts';
import type { KeyFinder } from './key-space.ts';
import { type KeySpaces, sameShape, typesOf } from './key-spaces.ts';
import { type Prober, walkReads, withProber } from './probes.ts';
import { type StoredIndex, storedKey } from './stored-indexes.ts';
import { type Cell, type Stretch, survey } from './survey.ts';

/** Stretches at the first look, and questions with those of the second. */
const cells = 192;
const questions = 384;
/** Each question may bring a page: of a small index at most this part is asked for. */
const askedPart = 0.25;
const fewest = 8;
/** Pages found by chance, below which nothing is told. */
const leastFound = 2;
/** Pages behind a cut of the index's division that the server read for its estimates. */
const pagesOfCut = 24;

export interface SurveyBounds {
  /** Time for questions; what is known by then must do. */
  readonly forMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Which stretches of a whole index are held, and the division by which their keys were found. */
export interface WholeSurvey {
  /** Cached pages of it, but for those that questions have brought. */
  readonly count: number;
  readonly cells: readonly Cell[];
  /** Undefined where another copy of the index could not use it. */
  readonly places: readonly KeyPlace[] | undefined;
}

/** What was asked of an index so far. */
interface Known {
  readonly index: StoredIndex;
  readonly asked: AskedEntries;
  /** Where questions have brought a page. */
  readonly broughtAt: number[];
  /** Pages that questions have brought, as far as they were there at the last check. */
  own: number;
  checkedMs: number;
  survey: WholeSurvey | undefined;
  takenMs: number;
  /** By how much the count at the first look after the survey, less `own`, differs from the one before it. */
  off: number | undefined;
}

/** A survey serves for so long, unless what others cache of the index grew or shrank by more than this part, and these pages. */
const keptMs = 30_000;
const changed = 0.2;
const fewPages = 16;
/**
 * While more than this part of an index lies in the pool for that it was asked for, a survey serves on for as long as
 * others cache as much as before: further questions would find what earlier ones brought.
 */
const spoiledPart = 0.05;
/** Entries that questions have brought which are asked for again, to see what part of them is there still. */
const checks = 8;
/** Places that are considered for a question: the one farthest from where a page was brought is taken. */
const choices = 4;
const mostPlaces = 2_048;

/**
 * Which stretches of an index the pool holds. Each question may bring a page, which later ones must not take for
 * somebody's: what was asked for is remembered, and its pages are left out of the count.
 */
export class Surveys {
  readonly #connections: MysqlConnections;
  readonly #spaces: KeySpaces;
  readonly #known = new Map<string, Known>();

  /** All surveys of one work set together: what asks for it waits for seconds, not for minutes. */
  readonly workSetMs: number;

  constructor(connections: MysqlConnections, spaces: KeySpaces, workSetMs = 2_500) {
    this.workSetMs = workSetMs;
    this.#connections = connections;
    this.#spaces = spaces;
  }

  /** Of the cached pages of an index, how many at most questions have brought. */
  ownPages(index: StoredIndex): number {
    return this.#known.get(storedKey(index))?.own ?? 0;
  }

  /** Of a whole index of which `count` pages are cached; one of before serves while it fits. Empty where nothing can tell. */
  async whole(index: StoredIndex, count: number, bounds: SurveyBounds): Promise<WholeSurvey> {
    const known = this.#of(index);
    await this.#checkOwn(known, bounds);
    // Two ways of counting differ by some pages: from the first look after a survey on it is known by how many.
    const others = Math.max(0, count - known.own - (known.off ?? 0));
    const { survey: kept } = known;
    if (kept !== undefined) {
      const doubt = known.off === undefined ? known.own * changed : 0;
      const grown = others - kept.count;
      const isNew = performance.now() - known.takenMs < keptMs;
      const isSpoiled = known.own > index.pages * spoiledPart;
      if (Math.abs(grown) <= Math.max(kept.count * changed, doubt, fewPages) && (isNew || isSpoiled)) {
        if (known.off === undefined) known.off = others - kept.count;
        return { ...kept, count: kept.count + (doubt > 0 ? 0 : grown) };
      }
    }
    // Others had the time. The next work set, whose known surveys take none, has it for this one.
    if (bounds.forMs <= 0) return { ...(kept ?? nothingFound), count: others };
    const finder = this.#spaces.of(index);
    const cells = await this.#survey(known, finder, { region: [{ from: 0, to: 1 }], ...bounds });
    const places = cells.length === 0 ? undefined : placesOf(await finder.nodes(), typesOf(index));
    // Where all was asked for before, nothing new is told.
    const survey =
      cells.length === 0 && kept !== undefined
        ? { ...kept, count: others }
        : { count: others, cells, places };
    const nowMs = performance.now();
    Object.assign(known, { survey, takenMs: nowMs, checkedMs: nowMs, off: undefined });
    return survey;
  }

  /** Of these stretches of it, now; what earlier questions have brought counts as held. */
  async of(
    { index, finder }: { readonly index: StoredIndex; readonly finder: KeyFinder },
    region: readonly Stretch[],
    bounds: SurveyBounds,
  ): Promise<readonly Cell[]> {
    return this.#survey(nothingKnown(index), finder, { region, ...bounds });
  }

  async #survey(
    known: Known,
    finder: KeyFinder,
    { region, forMs, signal }: SurveyBounds & { readonly region: readonly Stretch[] },
  ): Promise<readonly Cell[]> {
    const { index } = known;
    const width = region.reduce((sum, { from, to }) => sum + to - from, 0);
    const most = questionsOf(index.pages * width);
    if (most < fewest) return [];
    const before = [...known.broughtAt];
    const untilMs = performance.now() + forMs;
    const found = await tolerant(signal, async () => {
      // Before the survey: it holds the one connection for walks.
      await this.#divide(known, finder, signal);
      return this.#counting(known, signal, (prober) =>
        survey({
          region,
          cells: Math.min(cells, Math.ceil(most / 2)),
          questions: most,
          ask: async (place) => {
            if (distance(before, place) < 1 / index.pages) return undefined;
            const guess = await finder.guessAt(place, pagesOfCut / index.pages);
            const answer = guess === undefined ? undefined : await prober.ask(guess);
            if (answer?.resident === false && known.broughtAt.push(place) > mostPlaces)
              known.broughtAt.shift();
            return answer?.resident;
          },
          isOver: () => performance.now() > untilMs || signal?.aborted === true,
          placeIn: (cell) => farFrom(before, cell),
        }),
      );
    });
    return found ?? [];
  }

  #of(index: StoredIndex): Known {
    const known = this.#known.get(storedKey(index));
    if (known !== undefined && sameShape(known.index, index)) return known;
    const fresh = nothingKnown(index);
    this.#known.set(storedKey(index), fresh);
    return fresh;
  }

  /** What the division asks for is no evidence, and its pages are questions' own too. */
  async #divide(known: Known, finder: KeyFinder, signal: AbortSignal | undefined): Promise<void> {
    const before = await walkReads(this.#connections, { signal });
    for (const { prefix, low, towards } of await finder.nodes()) {
      for (const value of [low, towards]) known.asked.addDivided({ prefix, value });
    }
    const after = await walkReads(this.#connections, { signal });
    if (before !== undefined && before.threadId === after?.threadId) known.own += after.reads - before.reads;
  }

  /** What is left of the pages that questions have brought, by asking for some of them again. */
  async #checkOwn(known: Known, { signal }: SurveyBounds): Promise<void> {
    if (known.own === 0 || performance.now() - known.checkedMs < keptMs) return;
    const chosen = known.asked.someBrought(checks);
    if (chosen.length === 0) return;
    const part = await tolerant(signal, () =>
      this.#counting(known, signal, async (prober) => {
        let held = 0;
        for (const entry of chosen) if (await prober.isHeld(entry)) held++;
        return held / chosen.length;
      }),
    );
    if (part === undefined) return;
    Object.assign(known, { own: Math.round(known.own * part), checkedMs: performance.now() });
  }

  /** Counts the pages that questions bring. */
  #counting<T>(
    known: Known,
    signal: AbortSignal | undefined,
    work: (prober: Prober) => Promise<T>,
  ): Promise<T | undefined> {
    return withProber(this.#connections, known, { signal }, async (prober) => {
      const before = await prober.reads();
      try {
        return await work(prober);
      } finally {
        known.own += (await prober.reads()) - before;
      }
    });
  }
}

const distance = (places: readonly number[], place: number): number =>
  places.reduce((least, other) => Math.min(least, Math.abs(other - place)), 1);

const questionsOf = (pages: number): number => Math.min(questions, Math.floor(pages * askedPart));

/** Whether as many questions as an index is worth would find more than one page of `count`. */
export const canFind = (count: number, size: number): boolean =>
  count * questionsOf(size) >= size * leastFound;

const nothingFound = { cells: [], places: undefined };

const nothingKnown = (index: StoredIndex): Known => ({
  ...{ index, asked: new AskedEntries(), broughtAt: [], own: 0, checkedMs: 0 },
  ...{ survey: undefined, takenMs: 0, off: undefined },
});

/** A place in a cell, by chance, away from these. */
function farFrom(places: readonly number[], { from, to }: Stretch): number {
  let best = { place: from, off: -1 };
  for (let nth = 0; nth < choices; nth++) {
    const place = from + (to - from) * Math.random();
    const off = distance(places, place);
    if (off > best.off) best = { place, off };
  }
  return best.place;
}

/** Undefined where the index is out of reach or a question takes too long. */
async function tolerant<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof ForewarmError ? error.cause : undefined;
    if (signal?.aborted || !(isOutOfReach(cause) || isTimedOut(cause))) throw error;
    return undefined;
  }
}
