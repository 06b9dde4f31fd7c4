import { allocate } from '../../attribution/allocate.ts';
import type { RelationRef } from '../../planning/work-set.ts';
import type { CatalogTable } from './catalog.ts';
import { clustered, type Explanation, type Touch } from './explanations.ts';
import { type IndexUsage, indexKey } from './index-usage.ts';
import type { LedgerEntry, Settlement } from './ledger.ts';
import { statementKey } from './statement.ts';

interface Seed {
  readonly table: CatalogTable;
  readonly index: string;
  readonly also: readonly string[];
  readonly rows: number;
  readonly uncounted?: true;
}

/** Divides the volume of every entry among relations: what each may touch, fitted to what the indexes counted. */
export function settlements(
  entries: readonly LedgerEntry[],
  explain: (entry: LedgerEntry) => Explanation | undefined,
  usage: IndexUsage,
): Settlement[] {
  const explained = entries.map((entry) => {
    const explanation = explain(entry);
    const seeds =
      explanation?.kind === 'touches' ? explanation.touches.flatMap((one) => seedsOf(one, usage)) : [];
    return { entry, explanation, seeds };
  });
  const rows = explained.map(({ entry, seeds }) => ({
    volume: entry.aged,
    group: statementKey(entry.statement),
    seeds: totalsOf(seeds),
    uncounted: totalsOf(seeds.filter((seed) => !isCounted(seed, usage))),
  }));
  const columns = new Map(usage.columns);
  for (const [key, accesses] of expectedColumns(rows)) {
    columns.set(key, (columns.get(key) ?? 0) + accesses);
  }
  const allocation = allocate(rows, columns);
  return explained.map(({ explanation, seeds }, at) => {
    const { shares, factor } = allocation[at] ?? { shares: new Map<string, number>(), factor: 1 };
    return { shares: relationsOf(shares, seeds), factor, reason: reasonOf(explanation) };
  });
}

function reasonOf(explanation: Explanation | undefined): string {
  if (explanation === undefined) return 'its text was not seen, or the planner not asked yet';
  return explanation.kind === 'unknown' ? explanation.reason : 'nothing that it may touch was touched';
}

/** The index that the planner names, else those of its table that were used, in proportion. */
function seedsOf(touch: Touch, usage: IndexUsage): Seed[] {
  const { table, index, rows } = touch;
  const counts = usage.ofTable(table.database, table.name);
  const used = index !== undefined && (counts.get(index) ?? 0) > 0;
  if (used || !isCounted(touch, usage)) return [{ ...touch, index: index ?? clustered }];
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return [...counts].map(([other, count]) => ({
    table,
    index: other,
    also: other === clustered ? [] : [clustered],
    rows: (rows * count) / total,
  }));
}

const keyOf = ({ table, index }: Seed): string => indexKey(table.database, table.name, index);

function totalsOf(seeds: readonly Seed[]): Map<string, number> {
  const totals = new Map<string, number>();
  for (const seed of seeds) totals.set(keyOf(seed), (totals.get(keyOf(seed)) ?? 0) + seed.rows);
  return totals;
}

/** What is not counted is taken as the plans expect it; what is, and was not touched, gets nothing. */
function isCounted({ table, uncounted }: Pick<Touch, 'table' | 'uncounted'>, usage: IndexUsage): boolean {
  if (uncounted === true) return false;
  if (usage.columns.size === 0) return false;
  return !table.partitioned || usage.ofTable(table.database, table.name).size > 0;
}

/** Accesses as the plans expect them, of what the server does not count. */
function expectedColumns(
  rows: readonly (Record<'seeds' | 'uncounted', ReadonlyMap<string, number>> & { readonly volume: number })[],
): Map<string, number> {
  const columns = new Map<string, number>();
  for (const { volume, seeds, uncounted } of rows) {
    const total = [...seeds.values()].reduce((sum, seed) => sum + seed, 0);
    for (const [key, seed] of uncounted) columns.set(key, (columns.get(key) ?? 0) + (volume * seed) / total);
  }
  return columns;
}

function relationsOf(shares: ReadonlyMap<string, number>, seeds: readonly Seed[]): Settlement['shares'] {
  const relations: { ref: RelationRef; share: number }[] = [];
  for (const [key, share] of shares) {
    const mine = seeds.filter((seed) => keyOf(seed) === key);
    const first = mine[0];
    if (first === undefined) continue;
    const indexes = [...new Set([first.index, ...mine.flatMap((seed) => seed.also)])];
    for (const index of indexes) {
      relations.push({ ref: refOf(first.table, index), share: share / indexes.length });
    }
  }
  return relations;
}

/** The clustered index is the table. */
export function refOf(
  { database, name }: Pick<CatalogTable, 'database' | 'name'>,
  index: string,
): RelationRef {
  if (index === clustered) return { database, schema: database, name, kind: 'table' };
  return {
    database,
    schema: database,
    name: `${name}.${index}`,
    kind: 'index',
    parent: `${database}.${name}`,
  };
}
