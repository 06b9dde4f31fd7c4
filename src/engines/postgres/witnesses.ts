import { allocate, remainder } from '../../attribution/allocate.ts';
import { ownTables, type Resolution } from './explanations.ts';
import type { Catalog } from './relation-stats.ts';
import type { LockWitness } from './sessions.ts';
import { addHidden, claimLeftovers } from './unplanned.ts';
import { asAllocation, firmLockPart, lockPart, type WitnessedRow, type WorkRow } from './witnessed-row.ts';

export interface Verdict {
  /** What the relations' counts make of the row's estimated volume. */
  readonly factor: number;
  /** Parts of the row's volume by OID; empty where nothing explains it. */
  readonly shares: ReadonlyMap<string, number>;
  /** Why it is not known; a later window may tell. */
  readonly doubt?: string;
  /** Known, but a later window will know better. */
  readonly unsettled: boolean;
  /** Relations whose locks by its sessions would make it surer. */
  readonly wanted: readonly string[];
}

/** Looks at locked partitions of a table from which on they tell for sure which of them a VM reads. */
const leastPartitionLooks = 2.5;
const wantedPartitionLooks = 16;

/**
 * Says where the accesses of a database's statements went. The planner says what each may touch; the
 * relations' own counters say how much; locks and names in functions speak where the planner is blind.
 */
export function weigh(
  rows: readonly WitnessedRow[],
  columns: ReadonlyMap<string, number>,
  catalog: Catalog,
): Verdict[] {
  const count = (oid: string): number => columns.get(oid) ?? 0;
  const choices = rows.map((row) => choose(row, count));
  const readers = readersByParent(rows, choices, catalog);
  const firm = (row: WitnessedRow, choice: Choice) => firmRow(row, choice, { count, catalog, readers });
  const work = rows.map((row, index) => firm(row, choices[index] ?? nothing));
  // What is decided tells by its volume where the rest was not.
  const left = leftOver(
    work.filter((one) => one.doubt === undefined),
    columns,
  );
  const open = work.filter((one) => one.doubt === whichPartitions);
  for (const one of open) {
    const rivals = open.filter((other) => other.row.vm !== one.row.vm);
    eliminate(one, rivals, { left, count, readers, catalog });
  }
  const matches = work.map((one) => (one.doubt === undefined ? undefined : byLeftOver(one.row, left)));
  for (const [index, match] of matches.entries()) {
    const row = rows[index];
    const alone = match !== undefined && matches.filter((other) => other?.key === match.key).length === 1;
    if (alone && row !== undefined) work[index] = firm(row, { chosen: [match] });
  }
  claimLeftovers(work, columns, catalog);
  addHidden(work, columns, catalog);
  const allocation = allocate(work.map(asAllocation), columns);
  return work.map((one, index) => ({
    shares: allocation[index]?.shares ?? new Map(),
    factor: allocation[index]?.factor ?? 1,
    unsettled: one.unsettled,
    wanted: [...one.wanted],
    ...(one.doubt === undefined ? {} : { doubt: one.doubt }),
  }));
}

interface Choice {
  readonly chosen: readonly Resolution[];
  readonly doubt?: string;
}

const nothing: Choice = { chosen: [] };
const whichPartitions = 'several VMs read its partitioned table and no lock has told which partitions';

/** Partitions that other VMs account for are not this one's; what nobody accounts for is, unless a rival may have it. */
function eliminate(
  one: WorkRow,
  rivals: readonly WorkRow[],
  by: Surroundings & { left: (oid: string) => number },
): void {
  const { left, count, readers, catalog } = by;
  const contested = (oid: string) => {
    const parent = catalog.byOid.get(tableOf(catalog, oid))?.parentOid;
    return parent != null && (readers.get(parent)?.size ?? 0) > 1;
  };
  const mine = (oid: string) => left(tableOf(catalog, oid)) > 0.5;
  const partitions = [...one.seeds.keys()].filter(contested);
  const counted = partitions.filter((oid) => count(tableOf(catalog, oid)) > 0);
  if (!counted.some(mine) || counted.every(mine)) return;
  if (counted.some((oid) => mine(oid) && rivals.some((rival) => rival.seeds.has(oid)))) return;
  for (const oid of partitions) if (!mine(oid)) one.seeds.delete(oid);
  delete one.doubt;
}

interface Surroundings {
  readonly count: (oid: string) => number;
  readonly catalog: Catalog;
  /** VMs with statements on a partitioned table, by its OID. */
  readonly readers: ReadonlyMap<string, ReadonlySet<string>>;
}

function readersByParent(
  rows: readonly WitnessedRow[],
  choices: readonly Choice[],
  catalog: Catalog,
): Surroundings['readers'] {
  const readers = new Map<string, Set<string>>();
  for (const [index, { vm }] of rows.entries()) {
    for (const oid of choices[index]?.chosen.flatMap((one) => [...one.tables]) ?? []) {
      const parent = catalog.byOid.get(oid)?.parentOid;
      if (parent != null) readers.set(parent, (readers.get(parent) ?? new Set()).add(vm));
    }
  }
  return readers;
}

function firmRow(row: WitnessedRow, choice: Choice, { count, catalog, readers }: Surroundings): WorkRow {
  const { chosen } = choice;
  let { doubt } = choice;
  const seeds = new Map<string, number>();
  const hints = new Set<string>();
  const wanted = new Set<string>();
  const all = row.explanation?.resolutions ?? [];
  if (all.length > 1) for (const one of all) for (const oid of ownTables(one, all)) wanted.add(oid);
  let unsettled = false;
  for (const resolution of chosen) {
    const siblings = siblingPartitions(resolution, count, catalog);
    for (const [oid, seed] of resolution.seeds) {
      const { factor, looks } = partitionFactor(row, siblings.get(tableOf(catalog, oid)), oid, catalog);
      if (looks < wantedPartitionLooks) wanted.add(tableOf(catalog, oid));
      unsettled ||= looks < leastPartitionLooks;
      const parent = catalog.byOid.get(tableOf(catalog, oid))?.parentOid ?? '';
      if (looks === 0 && (readers.get(parent)?.size ?? 0) > 1) doubt ??= whichPartitions;
      if (factor > 0) seeds.set(oid, (seeds.get(oid) ?? 0) + seed * factor);
    }
    for (const oid of resolution.hints) hints.add(oid);
    for (const oid of resolution.toast) {
      for (const one of [oid, ...catalog.indexesOf(oid).map((index) => index.oid)]) {
        if (count(one) > 0) seeds.set(one, count(one));
      }
    }
  }
  const work = { row, resolutions: chosen, seeds, hints, wanted, unsettled };
  return doubt === undefined ? work : { ...work, doubt };
}

/** Accesses of each relation that these rows do not account for, as a part of all of its accesses. */
function leftOver(rows: readonly WorkRow[], columns: ReadonlyMap<string, number>): (oid: string) => number {
  const seen = rows.filter((one) => one.seeds.size > 0).map(asAllocation);
  const left = remainder(seen, allocate(seen, columns), columns);
  return (oid) => (left.get(oid) ?? 0) / Math.max(1, columns.get(oid) ?? 0);
}

/** The one reading whose own tables were read by somebody unknown. */
function byLeftOver(row: WitnessedRow, left: (oid: string) => number): Resolution | undefined {
  const all = row.explanation?.resolutions ?? [];
  const open = all.filter((one) => {
    const tables = ownTables(one, all);
    return tables.length > 0 && tables.every((oid) => left(oid) > 0.5);
  });
  return open.length === 1 ? open[0] : undefined;
}

/** Which search path a VM's sessions had: by their locks, else by which tables were touched at all. */
function choose(row: WitnessedRow, count: (oid: string) => number): Choice {
  const all = row.explanation?.resolutions ?? [];
  if (all.length <= 1) return { chosen: all };
  const own = (resolution: Resolution): string[] => ownTables(resolution, all);
  const lockedBy = (witness: LockWitness, leastPart: number) =>
    all.filter((one) => own(one).some((oid) => lockPart(witness, oid) >= leastPart));
  const byStatement = lockedBy(row.statementLocks, firmLockPart / 2);
  if (byStatement.length > 0) return { chosen: byStatement };
  const touched = all.filter((one) => own(one).every((oid) => count(oid) > 0));
  if (touched.length === 1) return { chosen: touched };
  const byVm = lockedBy(row.vmLocks, Number.MIN_VALUE);
  if (byVm.length === 1) return { chosen: byVm };
  const first = (byVm.length > 0 ? byVm : touched.length > 0 ? touched : all).slice(0, 1);
  return { chosen: first, doubt: 'its names fit several schemas and no lock has told which' };
}

/** Planned partitions with accesses, by each of them with its siblings. */
function siblingPartitions(
  resolution: Resolution,
  count: (oid: string) => number,
  catalog: Catalog,
): ReadonlyMap<string, readonly string[]> {
  const families = new Map<string, string[]>();
  for (const oid of resolution.tables) {
    const parent = catalog.byOid.get(oid)?.parentOid;
    if (parent != null && count(oid) > 0) families.set(parent, [...(families.get(parent) ?? []), oid]);
  }
  const siblings = [...families.values()].filter((family) => family.length > 1);
  return new Map(siblings.flatMap((family) => family.map((oid) => [oid, family] as const)));
}

/**
 * A generic plan has every partition. Sessions lock those that they read (or all, with a generic plan of
 * their own), so a partition never locked while its siblings were is one that this VM does not read.
 */
function partitionFactor(
  row: WitnessedRow,
  family: readonly string[] | undefined,
  oid: string,
  catalog: Catalog,
): { factor: number; looks: number } {
  if (family === undefined) return { factor: 1, looks: Number.POSITIVE_INFINITY };
  const table = tableOf(catalog, oid);
  const seen = (witness: LockWitness, one: string) => witness.byOid.get(one) ?? 0;
  const looks = family.reduce((sum, one) => sum + seen(row.vmLocks, one), 0);
  const own = seen(row.vmLocks, table);
  // Before the first look any of them may be meant; the relations' counts decide.
  return { factor: looks === 0 ? 1 / family.length : own / looks, looks };
}

function tableOf(catalog: Catalog, oid: string): string {
  return catalog.byOid.get(oid)?.tableOid ?? oid;
}
