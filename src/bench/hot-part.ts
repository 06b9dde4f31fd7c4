import { callOff, warmAhead } from '../lab/experiment/arms.ts';
import { type Site, tableOf } from '../lab/experiment/site.ts';
import { innodbPageBytes } from '../lab/mysql-app-data.ts';
import type { MigrationRecord } from '../messages/record.ts';
import { pagesOf } from './full-pool.ts';

/** Where in the keys the hot part of a table lies. */
export type HotPlace = 'newest' | 'middle';

/** What was read at the target for a VM that reads a small part of its table. */
export interface HotPartRun {
  readonly place: HotPlace;
  readonly readyMs: number;
  /** Of the VM. */
  readonly neededPages: number;
  /** By the kernel's counters where there are any, all that the target's server read meanwhile. */
  readonly readPages: number;
  /** Of the needed ones, in the target's pool when it was ready. */
  readonly foundPages: number;
  readonly record: MigrationRecord;
}

/** A VM that reads a small part of its table at the source. */
export interface HotVm {
  readonly vm: string;
  readonly place: HotPlace;
  /** The table's pages in the source's pool when nobody but the VM had read it: agents' questions bring others later. */
  readonly needed: ReadonlySet<number>;
}

/** Warms a cold target for one of these VMs. */
export async function runHotPart(site: Site, { vm, place, needed }: HotVm): Promise<HotPartRun> {
  await site.coolTarget();
  const table = tableOf(vm);
  const { evidence, readyMs, bytesRead } = await warmAhead(site, { vm, tables: [table] });
  await callOff(site, evidence.record);
  const { maps, record } = evidence;
  const held = pagesOf(maps.after, table);
  return {
    ...{ place, readyMs, record },
    neededPages: needed.size,
    readPages: Math.round(bytesRead / innodbPageBytes),
    foundPages: [...needed].filter((page) => held.has(page)).length,
  };
}
