/** A stretch of an index, in places from 0 to 1, and whether a key of it that was asked for lay in the pool. */
export interface Cell {
  readonly from: number;
  readonly to: number;
  readonly resident: boolean;
}

/** Places, `to` exclusive. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

export interface SurveyOptions {
  /** Ascending, disjoint. */
  readonly region: readonly Stretch[];
  /** Stretches of equal width of the first look, over the whole region. */
  readonly cells: number;
  /** Questions at most, those of the second look included. */
  readonly questions: number;
  /** Undefined where no key can be asked for. */
  readonly ask: (place: number) => Promise<boolean | undefined>;
  readonly isOver: () => boolean;
  /** Where in a cell to ask: two surveys must not ask for the same keys, since asking brings their pages. */
  readonly placeIn: (cell: Stretch) => number;
}

interface Asked extends Stretch {
  /** Undefined: not asked yet, or no answer. */
  resident: boolean | undefined;
}

const parts = 4;
/** Answers below which a survey tells nothing. */
const fewest = 32;

/**
 * Which stretches of an index the pool holds, by asking for one key in each; those next to one that differs are
 * asked again in quarters, beside long runs first. Empty where too few could be asked.
 */
export async function survey(options: SurveyOptions): Promise<readonly Cell[]> {
  const first = divided(options.region, options.cells);
  let left = options.questions - (await askAll(inSpread(first), options.questions, options));
  const known = answered(first);
  if (known.length < Math.min(fewest, first.length / 2)) return [];
  const fine = new Map<Asked, readonly Asked[]>();
  for (const cell of edges(known)) {
    if (left < parts || options.isOver()) break;
    const quarters = divided([cell], parts);
    left -= await askAll(quarters, left, options);
    if (quarters.every((quarter) => quarter.resident !== undefined)) fine.set(cell, quarters);
  }
  return known
    .flatMap((cell) => fine.get(cell) ?? [cell])
    .map(({ from, to, resident }) => ({ from, to, resident: resident === true }));
}

async function askAll(cells: readonly Asked[], most: number, options: SurveyOptions): Promise<number> {
  let asked = 0;
  for (const cell of cells) {
    if (asked >= most || options.isOver()) break;
    asked++;
    cell.resident = await options.ask(options.placeIn(cell));
  }
  return asked;
}

function divided(region: readonly Stretch[], count: number): Asked[] {
  const total = region.reduce((sum, { from, to }) => sum + to - from, 0);
  return region.flatMap(({ from, to }) => {
    const mine = total <= 0 ? 0 : Math.max(1, Math.round((count * (to - from)) / total));
    const edge = (nth: number) => (nth === mine ? to : from + ((to - from) * nth) / mine);
    return Array.from({ length: mine }, (_, nth) => ({
      from: edge(nth),
      to: edge(nth + 1),
      resident: undefined,
    }));
  });
}

/** So ordered that any beginning of the list lies spread over all of it: by the reversed bits of its places. */
function inSpread<T>(items: readonly T[]): T[] {
  const bits = Math.ceil(Math.log2(Math.max(2, items.length)));
  const reversed = (at: number) => {
    let rank = 0;
    for (let bit = 0; bit < bits; bit++) rank = rank * 2 + ((at >> bit) & 1);
    return rank;
  };
  return items
    .map((item, at) => ({ item, rank: reversed(at) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

/** Those without an answer take part in a neighbour's. */
function answered(cells: readonly Asked[]): Asked[] {
  const known: Asked[] = [];
  let open: Stretch | undefined;
  for (const cell of cells) {
    const last = known.at(-1);
    if (cell.resident !== undefined) {
      known.push(open?.to === cell.from ? { ...cell, from: open.from } : cell);
      open = undefined;
    } else if (last?.to === cell.from) known[known.length - 1] = { ...last, to: cell.to };
    else open = { from: open?.to === cell.from ? open.from : cell.from, to: cell.to };
  }
  return known;
}

/** Cells beside one that differs, those at a long run of resident ones first. */
function edges(cells: readonly Asked[]): Asked[] {
  const runs = new Array<number>(cells.length).fill(0);
  cells.forEach((cell, at) => {
    runs[at] = cell.resident ? (runs[at - 1] ?? 0) + 1 : 0;
  });
  for (let at = cells.length - 2; at >= 0; at--) {
    if (runs[at]! > 0 && runs[at + 1]! > 0) runs[at] = runs[at + 1]!;
  }
  const rankOf = (at: number): number => {
    const beside = [at - 1, at + 1].filter((other) => cells[other] !== undefined);
    const differing = beside.filter((other) => cells[other]!.resident !== cells[at]!.resident);
    return Math.max(0, ...differing.map((other) => Math.max(runs[at]!, runs[other]!)));
  };
  return cells
    .map((cell, at) => ({ cell, rank: rankOf(at) }))
    .filter(({ rank }) => rank > 0)
    .sort((a, b) => b.rank - a.rank)
    .map(({ cell }) => cell);
}
