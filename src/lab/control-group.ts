import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isRoot, isWritable } from './cache-dir.ts';
import { removeControlGroup } from './clean-up.ts';
import type { OwnedProcesses } from './owned-processes.ts';
import { descendantsOf, identify, isRunning } from './process-table.ts';

/** What a group is made for: its controllers in both versions, and a file that version 1 has where it works. */
const controllers = {
  disk: { version1: 'blkio', file: 'blkio.throttle.io_serviced', version2: 'io' },
  memory: { version1: 'memory', file: 'memory.limit_in_bytes', version2: 'memory' },
} as const;
export type Controlled = keyof typeof controllers;

/** Where groups of a kind are made on this machine. */
export interface Hierarchy {
  readonly controlled: Controlled;
  readonly version: 1 | 2;
  readonly path: string;
}

/** A group of processes that the kernel limits together. */
export interface ControlGroup {
  readonly version: 1 | 2;
  readonly path: string;
  /** Puts a process, and all below it now or later, into the group. */
  add(pid: number): void;
  /** Moves what still runs inside out of it, unharmed, and removes it. */
  release(): Promise<void>;
}

export function findHierarchy(controlled: Controlled): Hierarchy | { readonly reason: string } {
  if (!isRoot()) return { reason: `limiting a ${controlled} needs root` };
  const { version1, file, version2 } = controllers[controlled];
  const first = join('/sys/fs/cgroup', version1);
  if (existsSync(join(first, file))) {
    const path = controlled === 'memory' ? ownGroup(first, version1) : first;
    return isWritable(path) ? { controlled, version: 1, path } : { reason: `${path} is not writable` };
  }
  const second = '/sys/fs/cgroup';
  const offered = join(second, 'cgroup.controllers');
  if (!existsSync(offered)) return { reason: `this machine has no control groups for ${controlled}s` };
  if (!readFileSync(offered, 'utf8').split(/\s/).includes(version2)) {
    return { reason: `control groups have no ${version2} controller in ${second}` };
  }
  if (!isWritable(second)) return { reason: `${second} is not writable` };
  return { controlled, version: 2, path: second };
}

/** This process's own group, so that the limits above it still hold; the root where a container hides it. */
function ownGroup(root: string, controller: string): string {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n');
  const own = lines
    .map((line) => line.split(':'))
    .find(([, names]) => names?.split(',').includes(controller));
  const path = join(root, own?.slice(2).join(':') ?? '');
  return existsSync(join(path, 'cgroup.procs')) ? path : root;
}

/** Makes a group that is removed at the end, also after a crash. */
export async function makeControlGroup(
  owned: OwnedProcesses,
  hierarchy: Hierarchy,
): Promise<ControlGroup | { readonly reason: string }> {
  await removeStaleGroups(hierarchy.path);
  const path = join(hierarchy.path, groupName());
  try {
    if (hierarchy.version === 2) enable(hierarchy);
    mkdirSync(path);
  } catch (error) {
    return { reason: `no control group could be made in ${hierarchy.path}: ${String(error)}` };
  }
  const claim = owned.ownControlGroup(path);
  return {
    version: hierarchy.version,
    path,
    add(pid) {
      for (const member of [pid, ...descendantsOf([pid]).map((id) => id.pid)]) enroll(path, member);
      // A process may have been born of one that was not inside yet.
      for (const late of descendantsOf([pid])) enroll(path, late.pid);
    },
    release: () => claim.release(),
  };
}

/** Version 2 alone: groups get the controller's files, those that are there already too. */
export function enable({ controlled, path }: Hierarchy): void {
  const { version2 } = controllers[controlled];
  const control = join(path, 'cgroup.subtree_control');
  if (!readFileSync(control, 'utf8').split(/\s/).includes(version2)) writeFileSync(control, `+${version2}`);
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
async function removeStaleGroups(hierarchy: string): Promise<void> {
  const stale = readdirSync(hierarchy).filter((name) => {
    const match = /^forewarm-(\d+)-(\d+)-\d+$/.exec(basename(name));
    return match !== null && !isRunning({ pid: Number(match[1]), startTicks: Number(match[2]) });
  });
  for (const name of stale) await removeControlGroup(join(hierarchy, name)).catch(() => {});
}
