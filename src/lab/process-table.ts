import { readdirSync, readFileSync } from 'node:fs';
import { systemClock } from '../lib/clock.ts';

/** One process for certain: a pid alone may have been given to another process since. */
export interface ProcessId {
  readonly pid: number;
  /** Ticks since boot, field 22 of `/proc/PID/stat`. */
  readonly startTicks: number;
}

interface ProcessStat {
  readonly parentPid: number;
  readonly sessionId: number;
  readonly state: string;
  readonly threadCount: number;
  readonly startTicks: number;
}

/** Reads one line of `/proc/PID/stat`; the command's name may hold blanks and brackets. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, , session] = fields;
  const [threads, start] = [fields[17], fields[19]];
  if (state === undefined || parent === undefined || session === undefined || start === undefined)
    return undefined;
  return {
    state,
    parentPid: Number(parent),
    sessionId: Number(session),
    threadCount: Number(threads),
    startTicks: Number(start),
  };
}

function processStat(pid: number): ProcessStat | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

export function identify(pid: number): ProcessId | undefined {
  const stat = processStat(pid);
  return stat === undefined ? undefined : { pid, startTicks: stat.startTicks };
}

/**
 * False once it has ended, a zombie included, or when the pid belongs to another process by now. A zombie with
 * threads that are still to end holds files and ports: it runs.
 */
export function isRunning(id: ProcessId): boolean {
  const stat = processStat(id.pid);
  if (stat === undefined || stat.startTicks !== id.startTicks || stat.state === 'X') return false;
  return stat.state !== 'Z' || stat.threadCount > 1;
}

/** The processes below `roots`, the roots left out. */
export function descendantsOf(roots: readonly number[]): ProcessId[] {
  return collect(new Set(roots), (entry) => !roots.includes(entry.pid));
}

/**
 * Session leaders that are still there, all below them, and what has lost its parent but is still in
 * one of the sessions.
 */
export function familyOf(leaders: readonly ProcessId[]): ProcessId[] {
  // A pid that was given to another process since has nothing to do with us, nor has its session.
  const ours = leaders.filter(({ pid, startTicks }) => {
    const now = processStat(pid);
    return now === undefined || now.startTicks === startTicks;
  });
  return collect(new Set(ours.map(({ pid }) => pid)), () => true);
}

type Entry = ProcessStat & { readonly pid: number };

function collect(family: Set<number>, wanted: (entry: Entry) => boolean): ProcessId[] {
  const sessions = new Set(family);
  const table = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = processStat(Number(name));
      return stat === undefined ? [] : [{ pid: Number(name), ...stat }];
    });
  for (let size = -1; size !== family.size; ) {
    size = family.size;
    for (const entry of table) {
      if (family.has(entry.parentPid) || sessions.has(entry.sessionId)) family.add(entry.pid);
    }
  }
  return table
    .filter((entry) => family.has(entry.pid) && wanted(entry))
    .map(({ pid, startTicks }) => ({ pid, startTicks }));
}

/** Sends a signal to that very process; false when it has gone. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isRunning(id)) return false;
  try {
    return process.kill(id.pid, signal);
  } catch {
    return false;
  }
}

export async function waitUntilGone(ids: readonly ProcessId[], timeoutMs: number): Promise<boolean> {
  const endMs = systemClock.monotonicMs() + timeoutMs;
  while (ids.some(isRunning)) {
    if (systemClock.monotonicMs() > endMs) return false;
    await systemClock.sleep(10);
  }
  return true;
}

/**
 * Ends session leaders and their families: each leader gets its signal, orphans of a leader that is gone get
 * SIGTERM, and what is left after `graceMs` gets SIGKILL. Resolves when all are gone.
 */
export async function endProcesses(
  targets: readonly { id: ProcessId; signal: NodeJS.Signals }[],
  graceMs: number,
): Promise<void> {
  const leaders = targets.map((target) => target.id);
  const family = signalFamilies(targets);
  if (await waitUntilGone(family, graceMs)) return;
  const late = [...family, ...familyOf(leaders)];
  for (const id of late) signalProcess(id, 'SIGKILL');
  await waitUntilGone(late, 10_000);
}

/** The first step of ending: the signals. Gives all that must go. */
export function signalFamilies(targets: readonly { id: ProcessId; signal: NodeJS.Signals }[]): ProcessId[] {
  const family = familyOf(targets.map((target) => target.id));
  for (const { id, signal } of targets) {
    if (!signalProcess(id, signal)) for (const orphan of familyOf([id])) signalProcess(orphan, 'SIGTERM');
  }
  return family;
}
