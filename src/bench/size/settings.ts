import { readFileSync, statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { labRoot } from '../../lab/cache-dir.ts';
import type { Machine } from './fits.ts';

export interface SizeSettings {
  /** Work sets in MB of 2^20 bytes. */
  readonly workSetsMb: readonly number[];
  /** How many times their server's pool tables are, where there is room. */
  readonly tablePerPool: number;
  /** How many VMs move to one target at the same moment. */
  readonly vmCounts: readonly number[];
  /** Each of them. */
  readonly vmWorkSetMb: number;
  /** Sizes of the synthetic work sets. */
  readonly plannedBlocks: readonly number[];
}

export const fullSizes: SizeSettings = {
  workSetsMb: [16, 64, 256, 1_024, 4_096],
  tablePerPool: 10,
  vmCounts: [1, 2, 4, 8, 16],
  vmWorkSetMb: 16,
  plannedBlocks: [2 ** 18, 2 ** 20, 2 ** 22, 2 ** 24],
};

export const quickSizes: SizeSettings = {
  workSetsMb: [16, 64],
  tablePerPool: 3,
  vmCounts: [1, 4],
  vmWorkSetMb: 8,
  plannedBlocks: [2 ** 18, 2 ** 20],
};

/** What this machine has free now. */
export function thisMachine(): Machine {
  const { bavail, bsize } = statfsSync(labRoot());
  return { freeDiskBytes: bavail * bsize, availableMemoryBytes: availableMemory() };
}

/** With what the page cache would give back, where the kernel tells it. */
function availableMemory(): number {
  try {
    const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
    return kib === undefined ? freemem() : Number(kib) * 1024;
  } catch {
    return freemem();
  }
}
