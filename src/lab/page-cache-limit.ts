import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../lib/clock.ts';
import { type ControlGroup, enable, findHierarchy, makeControlGroup } from './control-group.ts';
import type { LimitedDisk } from './disk.ts';
import type { OwnedProcesses } from './owned-processes.ts';

/** What a group's processes hold, in bytes. */
export interface MemoryUse {
  /** Pages of files that they have read or written; the kernel takes them back as it needs them. */
  readonly pageCacheBytes: number;
  /** All else: their own memory, what they share, the kernel's for them. */
  readonly otherBytes: number;
}

export interface LimitedPageCache {
  readonly limited: boolean;
  /** Why nothing is limited, for the person who looks at the result. */
  readonly reason?: string;
  /** Puts a further process, and all below it, under the limit. */
  add(pid: number): void;
  /**
   * From now on the page cache has that many bytes beyond what the processes hold otherwise; as their own memory
   * grows, it shrinks. What is beyond it goes at once.
   */
  hold(pageCacheBytes: number): Promise<void>;
  /** Undefined where it cannot be counted. */
  use(): MemoryUse | undefined;
  release(): Promise<void>;
}

/**
 * Holds the page cache that some processes fill by limiting their memory as a whole. In control groups of version 2
 * a process is in one group only, so it is the disk's. Needs root and a writable group hierarchy; where that is
 * missing, says so and limits nothing.
 */
export async function limitPageCache(options: {
  readonly owned: OwnedProcesses;
  readonly pids: readonly number[];
  readonly disk: Pick<LimitedDisk, 'group'>;
}): Promise<LimitedPageCache> {
  const { owned, pids, disk } = options;
  const hierarchy = findHierarchy('memory');
  if ('reason' in hierarchy) return unlimited(hierarchy.reason);
  const shared = hierarchy.version === 2 && disk.group?.version === 2 ? disk.group : undefined;
  const group = shared ?? (await makeControlGroup(owned, hierarchy));
  if ('reason' in group) return unlimited(group.reason);
  const release = async () => {
    if (shared === undefined) await group.release();
    else write(group, 'memory.max', 'max');
  };
  try {
    if (shared !== undefined) enable(hierarchy);
    // A pool that is paged out would be no pool.
    if (group.version === 1) write(group, 'memory.swappiness', '0');
    else write(group, 'memory.swap.max', '0');
    for (const pid of pids) group.add(pid);
    return {
      limited: true,
      add: (pid) => group.add(pid),
      hold: (bytes) => hold(group, bytes),
      use: () => useOf(group),
      release,
    };
  } catch (error) {
    await release();
    return unlimited(`the memory's control group refused: ${String(error)}`);
  }
}

function unlimited(reason: string): LimitedPageCache {
  return {
    ...{ limited: false, reason, add: () => {}, hold: async () => {} },
    ...{ use: () => undefined, release: async () => {} },
  };
}

const attempts = 20;

async function hold(group: ControlGroup, pageCacheBytes: number): Promise<void> {
  const name = group.version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
  for (let attempt = 1; ; attempt++) {
    try {
      write(group, name, `${useOf(group).otherBytes + pageCacheBytes}`);
      return;
    } catch (error) {
      // EBUSY: so much could not be taken back at once.
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || attempt === attempts) throw error;
    }
    await systemClock.sleep(50);
  }
}

function useOf(group: ControlGroup): MemoryUse {
  const read = (name: string) => readFileSync(join(group.path, name), 'utf8');
  const whole = Number(read(group.version === 1 ? 'memory.usage_in_bytes' : 'memory.current'));
  return memoryUse(read('memory.stat'), whole);
}

/** By the kernel's `memory.stat` of either version; both count shared memory among the files. */
export function memoryUse(stat: string, wholeBytes: number): MemoryUse {
  const values = new Map(
    stat.split('\n').map((line) => {
      const [name = '', value] = line.split(' ');
      return [name, Number(value)];
    }),
  );
  const files = values.get('file') ?? values.get('cache') ?? 0;
  const pageCacheBytes = Math.max(0, files - (values.get('shmem') ?? 0));
  return { pageCacheBytes, otherBytes: Math.max(0, wholeBytes - pageCacheBytes) };
}

function write({ path }: ControlGroup, name: string, value: string): void {
  writeFileSync(join(path, name), value);
}
