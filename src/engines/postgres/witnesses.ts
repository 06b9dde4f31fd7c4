import { type AllocationRow, allocate, remainder } from '../../attribution/allocate.ts';
import { type Explanation, ownTables, type Resolution } from './explanations.ts';
import type { Catalog } from './relation-stats.ts';
import type { LockWitness } from './sessions.ts';

/** One statement of one VM, with all that is known of it. */
export interface WitnessedRow {
  readonly vm: string;
  /** Aged accesses. */
  readonly volume: number;
  /** Equal for rows that divide one statement among VMs by estimate. */
  readonly group: string;
  readonly explanation: Explanation | undefined;
  /** Locks of the VM's sessions while this was their statement, and at any time. */
  readonly statementLocks: LockWitness;
  readonly vmLocks: LockWitness;
}

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

/** A lock seen in fewer of a statement's looks may be a neighbour's in the same transaction. */
const firmLockPart = 0.2;
/** Looks at locked partitions of a table from which on they tell for sure which of them a VM reads. */
const leastPartitionLooks = 2.5;
const wantedPartitionLooks = 16;

interface WorkRow {
  readonly row: WitnessedRow;
  readonly resolutions: readonly Resolution[];
  readonly seeds: Map<string, number>;
  readonly hints: ReadonlySet<string>;
  doubt?: string;
  unsettled: boolean;
  readonly wanted: Set<string>;
}

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

const asAllocation = (one: WorkRow): AllocationRow => ({
  volume: one.row.volume,
  seeds: one.seeds,
  group: one.row.group,
});

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

function lockPart(witness: LockWitness, oid: string): number {
  return witness.looks > 0 ? (witness.byOid.get(oid) ?? 0) / witness.looks : 0;
}

/** Indexes and TOAST that were touched though no plan says so: of a table's statements, the likeliest. */
function claimLeftovers(
  work: readonly WorkRow[],
  columns: ReadonlyMap<string, number>,
  catalog: Catalog,
): void {
  const claimed = new Set(work.flatMap((one) => [...one.seeds.keys()]));
  const users = new Map<string, WorkRow[]>();
  for (const one of work) {
    for (const oid of one.seeds.keys()) {
      const relation = catalog.byOid.get(oid);
      if (relation?.kind === 'r' || relation?.kind === 'm') users.set(oid, [...(users.get(oid) ?? []), one]);
    }
  }
  for (const [table, rows] of users) {
    const tableCount = columns.get(table) ?? 0;
    for (const oid of attachments(catalog, table)) {
      const blocks = columns.get(oid) ?? 0;
      if (claimed.has(oid) || blocks <= tableCount * 0.002) continue;
      if (work.some((one) => mayHide(one, table))) continue;
      const misled = rows.filter((one) =>
        catalog
          .indexesOf(table)
          .some((index) => one.seeds.has(index.oid) && (columns.get(index.oid) ?? 0) === 0),
      );
      const leading = catalog.byOid.get(oid)?.leadingColumn;
      const mention = rows.filter((one) =>
        one.resolutions.some((r) => leading != null && r.mentions.has(leading)),
      );
      const likely = [mention.filter((one) => misled.includes(one)), mention, misled, rows].find(
        (some) => some.length > 0,
      );
      for (const one of likely ?? []) one.seeds.set(oid, blocks);
    }
  }
}

/** Indexes, TOAST relation and its index. */
function attachments(catalog: Catalog, table: string): string[] {
  const toast = catalog.byOid.get(table)?.toastOid ?? undefined;
  const direct = catalog.indexesOf(table).map((index) => index.oid);
  return toast === undefined
    ? direct
    : [...direct, toast, ...catalog.indexesOf(toast).map((index) => index.oid)];
}

/** Whether part of what the statement does is out of the planner's sight. */
function isBlind(one: WorkRow): boolean {
  return one.seeds.size === 0 || one.hints.size > 0 || one.row.explanation?.refusal !== undefined;
}

function mayHide(one: WorkRow, table: string): boolean {
  return isBlind(one) && (one.hints.has(table) || lockPart(one.row.statementLocks, table) >= firmLockPart);
}

/** What functions touch: tables locked or named, as far as nothing else accounts for their counts. */
function addHidden(work: readonly WorkRow[], columns: ReadonlyMap<string, number>, catalog: Catalog): void {
  const blind = work.filter(isBlind);
  if (blind.length === 0) return;
  const seen = work.filter((one) => one.seeds.size > 0).map(asAllocation);
  const left = remainder(seen, allocate(seen, columns), columns);
  const leftPart = (oid: string) => (left.get(oid) ?? 0) / Math.max(1, columns.get(oid) ?? 0);
  for (const one of blind) {
    const locks = one.row.statementLocks;
    const locked = [...locks.byOid.keys()].filter((oid) => lockPart(locks, oid) >= firmLockPart);
    const known = new Set(one.seeds.keys());
    const candidates = new Set([...one.hints, ...locked]);
    // Nothing at all to go by: what the VM locks and no statement of anybody accounts for.
    const lost = candidates.size + known.size === 0;
    if (lost) {
      for (const oid of one.row.vmLocks.byOid.keys()) if (leftPart(oid) > 0.5) candidates.add(oid);
      for (const oid of columns.keys()) {
        const stored = catalog.byOid.get(oid);
        if (stored?.kind === 'r' && leftPart(oid) > 0.5 && Number(oid) >= 16_384) one.wanted.add(oid);
      }
    }
    for (const table of candidates) {
      const relation = catalog.byOid.get(table);
      const counted = columns.get(table) ?? 0;
      if (known.has(table) || counted <= 0 || (relation?.kind !== 'r' && relation?.kind !== 'm')) continue;
      const firm = lockPart(locks, table) >= firmLockPart;
      if (!firm && leftPart(table) < 0.1) continue;
      one.seeds.set(table, Math.max(left.get(table) ?? 0, counted * 0.02));
      for (const oid of attachments(catalog, table)) {
        if (leftPart(oid) >= 0.05) one.seeds.set(oid, left.get(oid) ?? 0);
      }
    }
  }
}
