import { readFileSync } from 'node:fs';

/** Processor time of a process or thread until now, by its `stat` file, user and system, in ms; 0 when it is gone. */
export function processorMs(stat: string): number {
  try {
    const fields = readFileSync(stat, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    // In ticks of 10 ms: the kernel's USER_HZ is 100 on every architecture that Node runs on.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}

/** Time of all processors since the machine's start, and of it what nobody used and what its host gave to others, in ticks. */
export interface MachineTime {
  readonly all: number;
  readonly idle: number;
  readonly stolen: number;
}

/** By a `stat` of the kind of `/proc/stat`; undefined where there is none. */
export function machineTime(stat = '/proc/stat'): MachineTime | undefined {
  try {
    // User, nice, system, idle, iowait, irq, softirq, steal; guests are part of user.
    const ticks = readFileSync(stat, 'utf8').split('\n')[0]!.split(/ +/).slice(1, 9).map(Number);
    const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
    return { all: ticks.reduce((sum, one) => sum + one, 0), idle, stolen: ticks[7] ?? 0 };
  } catch {
    return undefined;
  }
}

/** Parts of the processors' time, 0 to 1: in use, by whomever, and of that what others had on the host. */
export interface ProcessorShares {
  readonly busy: number;
  readonly stolen: number;
}

/** Undefined where that is not told. */
export function sharesSince(before: MachineTime | undefined, stat?: string): ProcessorShares | undefined {
  const now = machineTime(stat);
  if (before === undefined || now === undefined || now.all === before.all) return undefined;
  const all = now.all - before.all;
  return { busy: 1 - (now.idle - before.idle) / all, stolen: (now.stolen - before.stolen) / all };
}

/** What others had on the host of it; undefined where that is not told. */
export function stolenSince(before: MachineTime | undefined, stat?: string): number | undefined {
  return sharesSince(before, stat)?.stolen;
}

/** The greatest of those that are told; undefined where none is. */
export function worstShare(shares: readonly (number | undefined)[]): number | undefined {
  const told = shares.filter((share) => share !== undefined);
  return told.length === 0 ? undefined : Math.max(...told);
}

/** Resident bytes of a process, by `/proc`; 0 when it is gone. */
export function residentBytes(pid: number): number {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kib ?? 0) * 1024;
  } catch {
    return 0;
  }
}
