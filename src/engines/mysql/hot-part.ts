import { type BlockRanges, emptyRanges, rangesOf, singleRange } from '../../planning/block-ranges.ts';
import type { KeyPlace } from '../../planning/work-set.ts';
import type { Cell, Stretch } from './survey.ts';

/** What of an index is worth having, and by which means it was found, in words. */
export interface HotPart {
  readonly ranges: BlockRanges;
  readonly means: string;
  /** The keys by which the places of `ranges` were found. */
  readonly places?: readonly KeyPlace[];
}

export const means = {
  whole: 'whole, for the source holds most of it',
  probed: 'by keys that were found cached at the source',
  newest: 'by its greatest keys',
  rows: 'where its rows are wanted',
} as const;

/** From this part on that the source holds of an index, its pages lie everywhere: the whole index is wanted. */
const wholeFrom = 0.5;
/** An index of so many pages is read as a whole: that is less than one step of reading. */
const smallPages = 128;
/** What a survey finds at least, as a part of what the newest keys have by themselves. */
const asGood = 0.95;
/** Standard deviations from what cells chosen by chance would hold. */
const beyondChance = 2.5;
/** Beyond the pages that the source holds, for stretches that are held in part: as a multiple of them. */
const mostOver = 1.5;
/** A cell's neighbours' part that is held, up to which the cell counts as being by itself. */
const alone = 0.2;
/** Up to this density a cell that was not found held lies beside what was: only its margin is wanted. */
const besideHeld = 0.35;
/** Where the others make up less than this part of what the source holds, those that are by themselves are wanted too. */
const mostJoined = 0.6;
/**
 * On either side of what was found, for places are estimates: a part of the index and pages, the fewer of which an
 * estimate has seen the less it is worth; at most a part of the stretch itself. Where keys are told, what was found ends
 * between two that were asked for: at most that part of an index.
 */
const margin = { ofIndex: 0.01, pages: 40, ofLong: 0.4, ofShort: 0.1, ofTold: 0.005 };
/** Part of an index from which on a stretch is long: a shorter one may be a few pages by themselves. */
const longStretch = 0.02;

/** True where only a survey could tell which pages are wanted. */
export const isPartly = (count: number, size: number): boolean =>
  count > 0 && count < size * wholeFrom && size > smallPages;

/**
 * What is wanted of an index of which the source holds `count` of `size` pages: all of it, or the stretches that a
 * survey found to be held, or as many pages with the greatest keys, which are the newest rows where keys rise.
 * `told`: whoever reads them is told by which keys the survey found them, and makes no estimates of its own.
 */
export function hotPart(count: number, size: number, cells: readonly Cell[], told = false): HotPart {
  if (count <= 0) return { ranges: emptyRanges, means: means.whole };
  if (!isPartly(count, size)) return { ranges: singleRange(0, size, 1), means: means.whole };
  return foundPart(count, size, cells, told) ?? { ranges: newest(count, size), means: means.newest };
}

/** As many pages, those with the greatest keys. */
export const newest = (count: number, size: number): BlockRanges =>
  singleRange(Math.max(0, size - count), Math.min(count, size), 1);

function foundPart(count: number, size: number, cells: readonly Cell[], told: boolean): HotPart | undefined {
  if (cells.length === 0) return undefined;
  const part = count / size;
  const others = densities(cells, [1, 2, 0, 2, 1]);
  const likely = taken(cells, others, part);
  const byNewest = heldOf(
    taken(
      cells,
      cells.map(({ from }) => from),
      part,
    ),
  );
  if (heldOf(likely) < byNewest * asGood || !isBeyondChance(likely, cells)) return undefined;
  const density = densities(cells, [1, 2, 3, 2, 1]);
  const all = taken(cells, density, part).filter(
    (cell) => cell.resident || density[cells.indexOf(cell)]! > besideHeld,
  );
  // A single cell by itself is likely one page: reading all of it is worth little where there are better ones.
  const joined = all.filter((cell) => others[cells.indexOf(cell)]! > alone);
  const chosen = widthOf(joined) >= part * mostJoined ? joined : all;
  const extra = cells.filter((cell, at) => density[at]! >= wholeFrom && !chosen.includes(cell));
  let room = part * (mostOver - 1);
  for (const cell of extra) {
    if (cell.to - cell.from > room) break;
    room -= cell.to - cell.from;
    chosen.push(cell);
  }
  return {
    ranges: rangesIn(told ? withNext(chosen, cells) : withMargins(chosen, size), size),
    means: means.probed,
  };
}

/** True where more of the chosen cells are held than of as many others: what is held lies together somewhere. */
function isBeyondChance(chosen: readonly Cell[], cells: readonly Cell[]): boolean {
  const part = cells.filter(({ resident }) => resident).length / cells.length;
  const held = chosen.filter(({ resident }) => resident).length;
  const deviation = Math.sqrt(part * (1 - part) * chosen.length);
  return held > part * chosen.length + beyondChance * deviation;
}

/** Stretches whose every key is likely held: those found so between two others, or at an end of a run of cells. */
export function solidPart(cells: readonly Cell[], size: number): BlockRanges {
  const solid = cells.filter((cell, at) => {
    const before = cells[at - 1];
    const after = cells[at + 1];
    const joins = (other: Cell | undefined, edge: boolean) => other === undefined || !edge || other.resident;
    return cell.resident && joins(before, before?.to === cell.from) && joins(after, after?.from === cell.to);
  });
  return rangesOf(
    solid.flatMap(({ from, to }) => {
      const start = Math.round(from * size);
      const length = Math.round(to * size) - start;
      return length > 0 ? [[start, length, 1] as const] : [];
    }),
  );
}

/** Each cell's part that is held, told from itself and its neighbours by these weights. */
function densities(cells: readonly Cell[], weights: readonly number[]): number[] {
  const reach = (weights.length - 1) / 2;
  return cells.map((_, at) => {
    let held = 0;
    let all = 0;
    for (const [nth, weight] of weights.entries()) {
      const other = cells[at + nth - reach];
      if (other === undefined) continue;
      all += weight;
      if (other.resident) held += weight;
    }
    return all === 0 ? 0 : held / all;
  });
}

/** The cells of greatest rank that make up this part of the index; of equal ones those with greater keys. */
function taken(cells: readonly Cell[], ranks: readonly number[], part: number): Cell[] {
  const order = cells.map((cell, at) => ({ cell, rank: ranks[at]! }));
  order.sort((a, b) => b.rank - a.rank || b.cell.from - a.cell.from);
  const chosen: Cell[] = [];
  let width = 0;
  for (const { cell } of order) {
    if (width >= part) break;
    chosen.push(cell);
    width += cell.to - cell.from;
  }
  return chosen;
}

const widthOf = (cells: readonly Cell[]): number => cells.reduce((sum, { from, to }) => sum + to - from, 0);

const heldOf = (cells: readonly Cell[]): number =>
  cells.reduce((sum, { from, to, resident }) => sum + (resident ? to - from : 0), 0);

/** Chosen cells in runs, each with its margin. */
function withMargins(cells: readonly Cell[], size: number): Stretch[] {
  return runsOf(cells).map(({ from, to }) => {
    const ofStretch = to - from < longStretch ? margin.ofShort : margin.ofLong;
    const more = Math.min((to - from) * ofStretch, margin.ofIndex + margin.pages / size);
    return { from: from - more, to: to + more };
  });
}

/**
 * The same, with the cells beside each run: of a cell one key was asked for, so that it may be held in part. As much of
 * them as the run is worth, for one by itself may be a single page.
 */
function withNext(chosen: readonly Cell[], cells: readonly Cell[]): Stretch[] {
  return runsOf(chosen).map(({ from, to }) => {
    const widest = Math.min(
      (to - from) * (to - from < longStretch ? margin.ofShort : margin.ofLong),
      margin.ofTold,
    );
    const widthOf = (cell: Cell | undefined) =>
      cell === undefined ? 0 : Math.min(cell.to - cell.from, widest);
    const before = cells.findLast((cell) => cell.to <= from + 1e-9);
    const after = cells.find((cell) => cell.from >= to - 1e-9);
    return { from: from - widthOf(before), to: to + widthOf(after) };
  });
}

function runsOf(cells: readonly Stretch[]): Stretch[] {
  const runs: { from: number; to: number }[] = [];
  for (const { from, to } of [...cells].sort((a, b) => a.from - b.from)) {
    const last = runs.at(-1);
    if (last !== undefined && from - last.to < 1e-9) last.to = Math.max(last.to, to);
    else runs.push({ from, to });
  }
  return runs;
}

const rangesIn = (stretches: readonly Stretch[], size: number): BlockRanges =>
  rangesOf(
    // Margins may meet.
    runsOf(stretches).map(({ from, to }) => {
      const start = Math.max(0, Math.floor(from * size));
      return [start, Math.min(size, Math.ceil(to * size)) - start, 1] as const;
    }),
  );
