/** One statement of one VM, with what it may touch. */
export interface AllocationRow {
  readonly volume: number;
  /** Expected accesses by column; only their proportions matter. */
  readonly seeds: ReadonlyMap<string, number>;
  /** Rows of one group divide a known volume by estimate: the columns may move it among them. */
  readonly group?: string;
}

export interface AllocatedRow {
  /** Parts of the row by column, adding up to 1; empty where none of its columns counted anything. */
  readonly shares: ReadonlyMap<string, number>;
  /** What the columns make of its volume; 1 where the row is alone in its group. */
  readonly factor: number;
}

const rounds = 40;
/** A column below this part of a row's greatest is noise of the fit. */
const negligiblePart = 0.001;

/**
 * Divides rows among columns by iterative proportional fitting: groups keep their volumes, and columns come
 * as near to their own counted accesses as the seeds allow. A column that counted nothing gets nothing.
 */
export function allocate(
  rows: readonly AllocationRow[],
  columns: ReadonlyMap<string, number>,
): AllocatedRow[] {
  const cells = rows.map((row) => {
    const kept = new Map<string, number>();
    for (const [column, seed] of row.seeds) {
      if (seed > 0 && (columns.get(column) ?? 0) > 0) kept.set(column, seed);
    }
    scale([kept], row.volume);
    return kept;
  });
  const groups = groupRows(rows, cells);
  for (let round = 0; round < rounds; round++) {
    const totals = new Map<string, number>();
    for (const row of cells) {
      for (const [column, mass] of row) totals.set(column, (totals.get(column) ?? 0) + mass);
    }
    let worst = 0;
    for (const row of cells) {
      for (const [column, mass] of row) {
        const total = totals.get(column) ?? 0;
        const factor = total > 0 ? (columns.get(column) ?? 0) / total : 1;
        row.set(column, mass * factor);
        worst = Math.max(worst, Math.abs(factor - 1));
      }
    }
    for (const group of groups) scale(group.cells, group.volume);
    if (worst < 1e-3) break;
  }
  return cells.map((row, index) => allocated(row, rows[index]?.volume ?? 0));
}

function allocated(row: ReadonlyMap<string, number>, volume: number): AllocatedRow {
  let mass = 0;
  for (const one of row.values()) mass += one;
  if (row.size === 0 || volume <= 0) return { shares: new Map(), factor: 1 };
  if (mass <= 0) return { shares: new Map([...row.keys()].map((key) => [key, 1 / row.size])), factor: 0 };
  const least = Math.max(...row.values()) * negligiblePart;
  const told = [...row].filter(([, one]) => one >= least);
  const sum = told.reduce((all, [, one]) => all + one, 0);
  return { shares: new Map(told.map(([key, one]) => [key, one / sum])), factor: mass / volume };
}

/** Rows without any column keep their volume to themselves. */
function groupRows(
  rows: readonly AllocationRow[],
  cells: readonly Map<string, number>[],
): { volume: number; cells: Map<string, number>[] }[] {
  const groups = new Map<string, { volume: number; cells: Map<string, number>[] }>();
  for (const [index, row] of rows.entries()) {
    const cell = cells[index];
    if (cell === undefined || cell.size === 0) continue;
    const key = row.group ?? `row ${index}`;
    const group = groups.get(key) ?? { volume: 0, cells: [] };
    groups.set(key, group);
    group.volume += row.volume;
    group.cells.push(cell);
  }
  return [...groups.values()];
}

/** What each column counted beyond the rows' allocation; never below 0. */
export function remainder(
  rows: readonly AllocationRow[],
  allocation: readonly AllocatedRow[],
  columns: ReadonlyMap<string, number>,
): Map<string, number> {
  const left = new Map(columns);
  for (const [index, row] of rows.entries()) {
    const { shares, factor } = allocation[index] ?? { shares: new Map<string, number>(), factor: 1 };
    for (const [column, share] of shares) {
      left.set(column, (left.get(column) ?? 0) - share * row.volume * factor);
    }
  }
  for (const [column, rest] of left) left.set(column, Math.max(0, rest));
  return left;
}

function scale(cells: readonly Map<string, number>[], volume: number): void {
  let total = 0;
  for (const cell of cells) for (const mass of cell.values()) total += mass;
  if (total <= 0) return;
  for (const cell of cells) {
    for (const [column, mass] of cell) cell.set(column, (mass * volume) / total);
  }
}
