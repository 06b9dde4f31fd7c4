import { allocate, remainder } from '../../attribution/allocate.ts';
import type { Catalog } from './relation-stats.ts';
import { asAllocation, firmLockPart, lockPart, type WorkRow } from './witnessed-row.ts';

/** Indexes and TOAST that were touched though no plan says so: of a table's statements, the likeliest. */
export function claimLeftovers(
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
export function addHidden(
  work: readonly WorkRow[],
  columns: ReadonlyMap<string, number>,
  catalog: Catalog,
): void {
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
