import { callOff, warmAhead } from '../lab/experiment/arms.ts';
import type { DatabaseServer } from '../lab/experiment/database.ts';
import { databaseKinds } from '../lab/experiment/databases.ts';
import { goHome } from '../lab/experiment/move.ts';
import type { PoolMap, RelationMap } from '../lab/experiment/pool-map.ts';
import { neighbourTps, type Site, tableOf, vms } from '../lab/experiment/site.ts';
import { systemClock } from '../lib/clock.ts';
import type { MigrationRecord } from '../messages/record.ts';

/** What became of a target's pages when a VM was warmed into a pool without room. */
export interface FullPoolRun {
  readonly readyMs: number;
  /** Of the VM at the source, and those that the target's agent had room for. */
  readonly wantedPages: number;
  readonly plannedPages: number;
  /** Of the VM in the target's pool when it was ready. */
  readonly keptPages: number;
  /** Young pages of the resident before, all of which it reads. */
  readonly hotPages: number;
  /** Of those: gone, or read again meanwhile. */
  readonly lostHotPages: number;
  readonly record: MigrationRecord;
}

/** Of the resident, while it has to hold its own. */
const residentTps = 1_000;
/** What the resident reads becomes young at a second look, a second after the first: nearly all of its table within this. */
const allYoungMs = 20_000;
const nearlyAll = 0.99;

/** Fills the target's pool with `crowd`, tables that nobody reads, lets the resident read, and warms the mover. */
export async function runFullPool(site: Site, crowd: readonly string[]): Promise<FullPoolRun> {
  const { target } = site;
  await goHome(site);
  await site.coolTarget();
  site.resident.pace(residentTps);
  for (const table of crowd) await target.bringIn(table);
  const [own, residents] = [tableOf(vms.mover), tableOf(vms.resident)];
  await untilYoung(target, residents);
  const { evidence, readyMs } = await warmAhead(site, { vm: vms.mover, tables: [own, residents] });
  await callOff(site, evidence.record);
  site.resident.pace(neighbourTps);
  const { maps, record } = evidence;
  const hot = youngIn(maps.before, residents);
  const [since, still] = [maps.before, maps.after].map((map) => usedSince(map, residents));
  return {
    readyMs,
    wantedPages: record.workSet?.blocks ?? 0,
    plannedPages: (record.plan?.blocks ?? 0) + (record.plan?.residentBlocks ?? 0),
    keptPages: pagesOf(maps.after, own).size,
    hotPages: hot.length,
    // One that was read again has been used since another time.
    lostHotPages: hot.filter((page) => still?.get(page) !== since?.get(page)).length,
    record,
  };
}

async function untilYoung(server: DatabaseServer, table: string): Promise<void> {
  const endMs = systemClock.monotonicMs() + allYoungMs;
  for (;;) {
    await systemClock.sleep(1_000);
    const map = await server.map([table]);
    const young = youngIn(map, table).length;
    if (young >= pagesOf(map, table).size * nearlyAll || systemClock.monotonicMs() > endMs) return;
  }
}

/** Pages of the table in the young part of the pool. */
function youngIn(map: PoolMap, table: string): readonly number[] {
  const young = databaseKinds.mysql.hotHeat;
  return [...pagesOf(map, table)].flatMap(([page, heat]) => (heat === young ? [page] : []));
}

function usedSince(map: PoolMap, table: string): RelationMap['usedSince'] {
  return map.find(({ name }) => name === table)?.usedSince;
}

/** Resident pages of a table with their heats. */
export function pagesOf(map: PoolMap, table: string): ReadonlyMap<number, number> {
  return map.find(({ name }) => name === table)?.heats ?? new Map();
}
