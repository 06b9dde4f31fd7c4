import { existsSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ControlGroup, findHierarchy, makeControlGroup } from './control-group.ts';
import {
  type DiskCounters,
  type DiskLimit,
  type DiskProfile,
  limitOf,
  parseBlkioCounter,
  parseIoStat,
} from './disk-profiles.ts';
import type { OwnedProcesses } from './owned-processes.ts';

export interface LimitDiskOptions {
  readonly owned: OwnedProcesses;
  /** With `none` nothing is limited, but reads are counted where the machine allows it. */
  readonly profile: DiskProfile | DiskLimit;
  /** Processes, e.g. postmasters; what is below them now or comes later is held too. */
  readonly pids: readonly number[];
  /** A folder on the disk in question. */
  readonly dir: string;
}

export interface LimitedDisk {
  readonly throttled: boolean;
  /** Why nothing is limited, for the person who looks at the result. */
  readonly reason?: string;
  /** MAJ:MIN of the whole disk. */
  readonly device?: string;
  /** Where the processes are held; undefined where they could not be. */
  readonly group?: ControlGroup;
  /** Puts a further process, and all below it, under the limit: a server that was started again. */
  add(pid: number): void;
  /** What the processes have read from the disk until now; undefined where it cannot be counted. */
  counters(): DiskCounters | undefined;
  release(): Promise<void>;
}

/**
 * Holds processes to a disk's speed by the kernel's control groups. Needs root and a writable group hierarchy;
 * where that or a real disk is missing, says so and limits nothing.
 */
export async function limitDisk(options: LimitDiskOptions): Promise<LimitedDisk> {
  const limit = typeof options.profile === 'string' ? limitOf(options.profile) : options.profile;
  const device = wholeDisk(options.dir);
  const hierarchy = findHierarchy('disk');
  if ('reason' in device) return unlimited(device.reason);
  if ('reason' in hierarchy) return unlimited(hierarchy.reason);
  const group = await makeControlGroup(options.owned, hierarchy);
  if ('reason' in group) return unlimited(group.reason);
  try {
    setLimit(group, device.id, limit);
    for (const pid of options.pids) group.add(pid);
    return {
      throttled: limit !== undefined,
      ...(limit === undefined ? { reason: 'no limit was asked for' } : {}),
      ...{ device: device.id, group },
      add: (pid) => group.add(pid),
      counters: () => readCounters(group, device.id),
      release: () => group.release(),
    };
  } catch (error) {
    await group.release();
    return unlimited(`the disk's control group refused: ${String(error)}`);
  }
}

function unlimited(reason: string): LimitedDisk {
  return { throttled: false, reason, add: () => {}, counters: () => undefined, release: async () => {} };
}

/** MAJ:MIN of the disk that a folder lies on; of a partition, its disk. */
export function wholeDisk(dir: string): { id: string } | { reason: string } {
  const { dev } = statSync(dir);
  // The kernel's encoding of device numbers for programs: glibc's gnu_dev_major and gnu_dev_minor.
  const major = ((dev >>> 8) & 0xfff) | (Math.floor(dev / 2 ** 32) & ~0xfff);
  const minor = (dev & 0xff) | ((dev >>> 12) & ~0xff);
  const link = `/sys/dev/block/${major}:${minor}`;
  if (!existsSync(link))
    return {
      reason: `${dir} lies on a file system without a disk of its own (memory, overlay, btrfs or network)`,
    };
  const node = realpathSync(link);
  const disk = existsSync(join(node, 'partition')) ? dirname(node) : node;
  return { id: readFileSync(join(disk, 'dev'), 'utf8').trim() };
}

function setLimit({ version, path }: ControlGroup, device: string, limit: DiskLimit | undefined): void {
  if (version === 1) {
    // Linux 6.10 and later count the reads of a disk only once anybody was given a limit on it; 0: none.
    writeFileSync(join(path, 'blkio.throttle.read_bps_device'), `${device} ${limit?.bytesPerSecond ?? 0}`);
    if (limit?.operationsPerSecond !== undefined) {
      writeFileSync(join(path, 'blkio.throttle.read_iops_device'), `${device} ${limit.operationsPerSecond}`);
    }
    return;
  }
  if (limit === undefined) return;
  writeFileSync(
    join(path, 'io.max'),
    `${device} rbps=${limit.bytesPerSecond} riops=${limit.operationsPerSecond ?? 'max'}`,
  );
}

function readCounters({ version, path }: ControlGroup, device: string): DiskCounters | undefined {
  try {
    if (version === 2) return parseIoStat(readFileSync(join(path, 'io.stat'), 'utf8'), device);
    const read = (name: string) => parseBlkioCounter(readFileSync(join(path, name), 'utf8'), device);
    return { bytes: read('blkio.throttle.io_service_bytes'), operations: read('blkio.throttle.io_serviced') };
  } catch {
    return undefined;
  }
}
