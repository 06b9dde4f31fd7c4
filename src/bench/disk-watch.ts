import type { LimitedDisk } from '../lab/disk.ts';

/** What was read from a disk in a stretch of time that begins at `atMs`, in milliseconds since 1970. */
export interface DiskSample {
  readonly atMs: number;
  readonly durationMs: number;
  readonly bytes: number;
}

const everyMs = 200;

/** Reads the kernel's counters of some disks again and again; where there are none, there are no samples. */
export class DiskWatch<Name extends string> {
  readonly samples: Readonly<Record<Name, DiskSample[]>>;
  readonly #timer: NodeJS.Timeout;

  constructor(disks: Readonly<Record<Name, LimitedDisk>>) {
    const names = Object.keys(disks) as Name[];
    this.samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
      Name,
      DiskSample[]
    >;
    const last = new Map(names.map((name) => [name, disks[name].counters()?.bytes]));
    let lastMs = Date.now();
    this.#timer = setInterval(() => {
      const nowMs = Date.now();
      for (const name of names) {
        const before = last.get(name);
        const bytes = disks[name].counters()?.bytes;
        last.set(name, bytes);
        if (bytes === undefined || before === undefined) continue;
        this.samples[name].push({ atMs: lastMs, durationMs: nowMs - lastMs, bytes: bytes - before });
      }
      lastMs = nowMs;
    }, everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
