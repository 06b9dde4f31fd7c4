import { readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { retry } from '../lib/retry.ts';
import { endProcesses, isRunning, type ProcessId, signalFamilies } from './process-table.ts';

/** Something that the lab made and must take away again. */
export type OwnedThing =
  | {
      readonly key: string;
      readonly kind: 'process';
      readonly id: ProcessId;
      readonly signal: NodeJS.Signals;
    }
  | { readonly key: string; readonly kind: 'folder'; readonly path: string }
  | { readonly key: string; readonly kind: 'cgroup'; readonly path: string }
  | { readonly key: string; readonly kind: 'containers'; readonly label: string };

/** Ends processes first, then removes containers, control groups and folders. Never rejects: what cannot go, stays. */
export async function cleanUp(things: readonly OwnedThing[], graceMs = 5_000): Promise<void> {
  const processes = things.filter((thing) => thing.kind === 'process');
  await endProcesses(processes, graceMs);
  for (const thing of things) {
    if (thing.kind === 'containers') await removeContainers(thing.label);
  }
  for (const thing of things) {
    if (thing.kind === 'cgroup') await removeControlGroup(thing.path).catch(() => {});
  }
  for (const thing of things) {
    if (thing.kind === 'folder') await removeFolder(thing.path).catch(() => {});
  }
}

/** The same for a process that is exiting and cannot wait for promises; blocks for `patienceMs` at most. */
export function cleanUpNow(things: readonly OwnedThing[], patienceMs: number): void {
  const processes = things.filter((thing) => thing.kind === 'process');
  const family = signalFamilies(processes);
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; waitedMs < patienceMs && family.some(isRunning); waitedMs += 10) {
    Atomics.wait(sleeper, 0, 0, 10);
  }
  // The guard has more patience.
  if (family.some(isRunning) || things.some(({ kind }) => kind === 'containers')) return;
  for (const thing of things) {
    try {
      if (thing.kind === 'folder') rmSync(thing.path, { recursive: true, force: true });
      if (thing.kind === 'cgroup') rmdirSync(thing.path);
    } catch {
      // The guard tries again.
    }
  }
}

/** Loaded late: most labs have no containers. */
async function removeContainers(label: string): Promise<void> {
  const { removeLabelled } = await import('./containers/runtime.ts');
  await removeLabelled(label).catch((error: Error) => {
    process.stderr.write(`what has the label ${label} could not be removed: ${error.message}\n`);
  });
}

export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Moves what still runs inside to the parent group, unharmed, then removes the group. */
export async function removeControlGroup(path: string): Promise<void> {
  await retry(
    async () => {
      try {
        for (const pid of readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
          moveProcess(dirname(path), pid);
        }
        rmdirSync(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    },
    { attempts: 10, firstDelayMs: 20, maxDelayMs: 200 },
  );
}

function moveProcess(group: string, pid: string): void {
  try {
    writeFileSync(join(group, 'cgroup.procs'), pid);
  } catch {
    // It ended in between; the removal of the group says otherwise if it did not.
  }
}
