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

/** Resident bytes of a process, by `/proc`; 0 when it is gone. */
export function residentBytes(pid: number): number {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kib ?? 0) * 1024;
  } catch {
    return 0;
  }
}
