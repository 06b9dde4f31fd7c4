/** What a disk may do a second; read side. */
export interface DiskLimit {
  readonly bytesPerSecond: number;
  /** As many as it likes where left out. */
  readonly operationsPerSecond?: number;
}

/** `gp3`: the baseline of a common cloud volume; `hdd`: a SATA disk; `even`: bandwidth is all that counts; `none`: as it is. */
export const diskProfiles = {
  gp3: { bytesPerSecond: 125_000_000, operationsPerSecond: 3_000 },
  hdd: { bytesPerSecond: 100_000_000, operationsPerSecond: 200 },
  even: { bytesPerSecond: 100_000_000 },
  none: undefined,
} as const satisfies Record<string, DiskLimit | undefined>;

export type DiskProfile = keyof typeof diskProfiles;

/** A profile's speed; undefined for none. */
export function limitOf(profile: DiskProfile): DiskLimit | undefined {
  return diskProfiles[profile];
}

/** The most bytes a second by reads of at most `maxReadBytes` each. */
export function bandwidthOf(
  { bytesPerSecond, operationsPerSecond = Number.POSITIVE_INFINITY }: DiskLimit,
  maxReadBytes = Number.POSITIVE_INFINITY,
): number {
  return Math.min(bytesPerSecond, operationsPerSecond * maxReadBytes);
}

/** Reads from a device since its control group was made. */
export interface DiskCounters {
  readonly bytes: number;
  readonly operations: number;
}

/** The value for `device` in a version 1 counter: lines such as `254:0 Read 4096`. */
export function parseBlkioCounter(text: string, device: string): number {
  for (const line of text.split('\n')) {
    const [name, operation, value] = line.split(' ');
    if (name === device && operation === 'Read') return Number(value);
  }
  return 0;
}

/** The same from version 2's `io.stat`: lines such as `254:0 rbytes=4096 wbytes=0 rios=1 wios=0`. */
export function parseIoStat(text: string, device: string): DiskCounters {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${device} `)) ?? '';
  const values = Object.fromEntries(line.split(' ').map((pair) => pair.split('=')));
  return { bytes: Number(values['rbytes'] ?? 0), operations: Number(values['rios'] ?? 0) };
}
