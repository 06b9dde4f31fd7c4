/** What the machine has, in bytes. */
export interface Machine {
  readonly freeDiskBytes: number;
  readonly availableMemoryBytes: number;
}

/** One work set to be warmed: MB are of 2^20 bytes. */
export interface SizeCase {
  readonly workSetMb: number;
  readonly poolMb: number;
  readonly tableMb: number;
  /** Part of the table that is read. */
  readonly hotShare: number;
}

export type Fitted = SizeCase | { readonly workSetMb: number; readonly reason: string };

/** Parts of what is free that a case may take. */
const usable = { disk: 0.75, memory: 0.7 };
/** A primary and two replicas. */
const servers = 3;
/** A table's key beside it, and what a copy of it needs for a while. */
const diskOverhead = 1.15;
const poolPerWorkSet = 1.5;
/** A table of fewer times its server's pool means nothing. */
const leastTablePerPool = 2;
const leastPoolMb = 128;

/**
 * How large pool and table are for a work set on this machine, or why it is left out. The table is `tablePerPool`
 * times the pool, or as large as there is room.
 */
export function fitCase(workSetMb: number, machine: Machine, tablePerPool: number): Fitted {
  const poolMb = Math.max(leastPoolMb, Math.ceil(workSetMb * poolPerWorkSet));
  const mb = 2 ** 20;
  const memory = machine.availableMemoryBytes * usable.memory;
  // The primary reads nothing, and its pool stays empty.
  if ((servers - 1) * poolMb * mb > memory)
    return { workSetMb, reason: `two pools of ${poolMb} MB do not fit into ${gb(memory)} of memory` };
  const room = (machine.freeDiskBytes * usable.disk) / (servers * diskOverhead * mb);
  const tableMb = Math.floor(Math.min(poolMb * tablePerPool, room));
  if (tableMb < poolMb * leastTablePerPool)
    return { workSetMb, reason: `three tables of ${poolMb * leastTablePerPool} MB do not fit on the disk` };
  return { workSetMb, poolMb, tableMb, hotShare: workSetMb / tableMb };
}

function gb(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GB`;
}
