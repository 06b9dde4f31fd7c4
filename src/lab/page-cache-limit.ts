import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MemoryUse, memoryUse } from '../lib/memory-use.ts';
import { type ControlGroup, enable, findHierarchy, makeControlGroup } from './control-group.ts';
import type { LimitedDisk } from './disk.ts';
import type { OwnedProcesses } from './owned-processes.ts';

export interface LimitedPageCache {
  readonly limited: boolean;
  /** Why nothing is limited, for the person who looks at the result. */
  readonly reason?: string;
  /** Puts a further process, and all below it, under the limit. */
  add(pid: number): void;
  /** From now on the page cache has that many bytes beyond what the processes hold otherwise, however that grows. */
  hold(pageCacheBytes: number): void;
  /** From now on there is no limit. */
  letGo(): void;
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
  const keeper = new Keeper(group);
  const release = async () => {
    keeper.letGo();
    if (shared === undefined) await group.release();
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
      hold: (bytes) => keeper.hold(bytes),
      letGo: () => keeper.letGo(),
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
    ...{ limited: false, reason, add: () => {}, hold: () => {}, letGo: () => {} },
    ...{ use: () => undefined, release: async () => {} },
  };
}

/** A session more must not be killed for want of memory before the limit has followed. */
const followMs = 100;
const leastChangeBytes = 2 ** 20;

/** Moves the limit with what the processes hold otherwise. */
class Keeper {
  readonly #group: ControlGroup;
  readonly #file: string;
  #timer: NodeJS.Timeout | undefined;
  #limitBytes = Number.POSITIVE_INFINITY;

  constructor(group: ControlGroup) {
    this.#group = group;
    this.#file = group.version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
  }

  hold(pageCacheBytes: number): void {
    clearInterval(this.#timer);
    this.#follow(pageCacheBytes);
    this.#timer = setInterval(() => this.#follow(pageCacheBytes), followMs);
    this.#timer.unref();
  }

  letGo(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#limitBytes === Number.POSITIVE_INFINITY) return;
    this.#limitBytes = Number.POSITIVE_INFINITY;
    write(this.#group, this.#file, this.#group.version === 1 ? '-1' : 'max');
  }

  #follow(pageCacheBytes: number): void {
    try {
      const limitBytes = useOf(this.#group).otherBytes + pageCacheBytes;
      if (Math.abs(limitBytes - this.#limitBytes) < leastChangeBytes) return;
      write(this.#group, this.#file, `${limitBytes}`);
      this.#limitBytes = limitBytes;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The group goes when the lab does.
      if (code === 'ENOENT' || code === 'ENODEV') clearInterval(this.#timer);
      // So much could not be taken back at once: the next time.
      else if (code !== 'EBUSY') throw error;
    }
  }
}

function useOf(group: ControlGroup): MemoryUse {
  const read = (name: string) => readFileSync(join(group.path, name), 'utf8');
  const whole = Number(read(group.version === 1 ? 'memory.usage_in_bytes' : 'memory.current'));
  return memoryUse(read('memory.stat'), whole);
}

function write({ path }: ControlGroup, name: string, value: string): void {
  writeFileSync(join(path, name), value);
}
