import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isRoot, isWritable } from './cache-dir.ts';
import { removeControlGroup } from './clean-up.ts';
import {
  type DiskCounters,
  type DiskLimit,
  type DiskProfile,
  limitOf,
  parseBlkioCounter,
  parseIoStat,
} from './disk-profiles.ts';
import type { OwnedProcesses } from './owned-processes.ts';
import { descendantsOf, identify, isRunning } from './process-table.ts';

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
  /** Puts a further process, and all below it, under the limit: a server that was started again. */
  add(pid: number): void;
  /** What the processes have read from the disk until now; undefined where it cannot be counted. */
  counters(): DiskCounters | undefined;
  release(): Promise<void>;
}

type Hierarchy = { readonly version: 1 | 2; readonly path: string };

/**
 * Holds processes to a disk's speed by the kernel's control groups. Needs root and a writable group hierarchy;
 * where that or a real disk is missing, says so and limits nothing.
 */
export async function limitDisk(options: LimitDiskOptions): Promise<LimitedDisk> {
  const limit = typeof options.profile === 'string' ? limitOf(options.profile) : options.profile;
  const device = wholeDisk(options.dir);
  const hierarchy = findHierarchy();
  if ('reason' in device) return unlimited(device.reason);
  if ('reason' in hierarchy) return unlimited(hierarchy.reason);
  await removeStaleGroups(hierarchy.path);
  const path = join(hierarchy.path, groupName());
  try {
    if (hierarchy.version === 2) enableIo(hierarchy.path);
    mkdirSync(path);
  } catch (error) {
    return unlimited(`no control group could be made in ${hierarchy.path}: ${String(error)}`);
  }
  const claim = options.owned.ownControlGroup(path);
  try {
    if (limit !== undefined) setLimit({ hierarchy, path, device: device.id, limit });
    const add = (pid: number) => {
      for (const member of [pid, ...descendantsOf([pid]).map((id) => id.pid)]) enroll(path, member);
      // A process may have been born of one that was not inside yet.
      for (const late of descendantsOf([pid])) enroll(path, late.pid);
    };
    for (const pid of options.pids) add(pid);
    return {
      throttled: limit !== undefined,
      ...(limit === undefined ? { reason: 'no limit was asked for' } : {}),
      device: device.id,
      add,
      counters: () => readCounters(hierarchy, path, device.id),
      release: () => claim.release(),
    };
  } catch (error) {
    await claim.release();
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

function findHierarchy(): Hierarchy | { reason: string } {
  if (!isRoot()) return { reason: 'limiting a disk needs root' };
  const version1 = '/sys/fs/cgroup/blkio';
  if (existsSync(join(version1, 'blkio.throttle.io_serviced'))) {
    return isWritable(version1) ? { version: 1, path: version1 } : { reason: `${version1} is not writable` };
  }
  const version2 = '/sys/fs/cgroup';
  const controllers = join(version2, 'cgroup.controllers');
  if (!existsSync(controllers)) return { reason: 'this machine has no control groups for disks' };
  if (!readFileSync(controllers, 'utf8').split(/\s/).includes('io')) {
    return { reason: `control groups have no io controller in ${version2}` };
  }
  if (!isWritable(version2)) return { reason: `${version2} is not writable` };
  return { version: 2, path: version2 };
}

function setLimit(options: { hierarchy: Hierarchy; path: string; device: string; limit: DiskLimit }): void {
  const { hierarchy, path, device, limit } = options;
  if (hierarchy.version === 1) {
    writeFileSync(join(path, 'blkio.throttle.read_bps_device'), `${device} ${limit.bytesPerSecond}`);
    if (limit.operationsPerSecond !== undefined) {
      writeFileSync(join(path, 'blkio.throttle.read_iops_device'), `${device} ${limit.operationsPerSecond}`);
    }
    return;
  }
  enableIo(hierarchy.path);
  writeFileSync(
    join(path, 'io.max'),
    `${device} rbps=${limit.bytesPerSecond} riops=${limit.operationsPerSecond ?? 'max'}`,
  );
}

function enableIo(root: string): void {
  const control = join(root, 'cgroup.subtree_control');
  if (!readFileSync(control, 'utf8').split(/\s/).includes('io')) writeFileSync(control, '+io');
}

function readCounters(hierarchy: Hierarchy, path: string, device: string): DiskCounters | undefined {
  try {
    if (hierarchy.version === 2) return parseIoStat(readFileSync(join(path, 'io.stat'), 'utf8'), device);
    const read = (name: string) => parseBlkioCounter(readFileSync(join(path, name), 'utf8'), device);
    return { bytes: read('blkio.throttle.io_service_bytes'), operations: read('blkio.throttle.io_serviced') };
  } catch {
    return undefined;
  }
}

function enroll(path: string, pid: number): void {
  try {
    writeFileSync(join(path, 'cgroup.procs'), `${pid}`);
  } catch (error) {
    // ESRCH: it ended in between.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

let lastGroup = 0;

/** Tells whose it is, for the next run: `forewarm-PID-STARTTICKS-N`. */
function groupName(): string {
  lastGroup += 1;
  return `forewarm-${process.pid}-${identify(process.pid)?.startTicks ?? 0}-${lastGroup}`;
}

/** Removes groups whose maker has crashed together with its guard. */
export async function removeStaleGroups(hierarchy: string): Promise<string[]> {
  const stale = readdirSync(hierarchy).filter((name) => {
    const match = /^forewarm-(\d+)-(\d+)-\d+$/.exec(basename(name));
    return match !== null && !isRunning({ pid: Number(match[1]), startTicks: Number(match[2]) });
  });
  for (const name of stale) await removeControlGroup(join(hierarchy, name)).catch(() => {});
  return stale;
}
