/** What the processes of a control group hold of memory, in bytes. */
export interface MemoryUse {
  /** Pages of files that they have read or written; the kernel takes them back as it needs them. */
  readonly pageCacheBytes: number;
  /** All else: their own memory, what they share, the kernel's for them. */
  readonly otherBytes: number;
}

/**
 * By the kernel's `memory.stat` of either version, groups below it included, and what is used in all; both versions
 * count shared memory among the files.
 */
export function memoryUse(stat: string, wholeBytes: number): MemoryUse {
  const values = new Map(
    stat.split('\n').map((line) => {
      const [name = '', value] = line.split(' ');
      return [name, Number(value)];
    }),
  );
  const files = values.get('file') ?? values.get('total_cache') ?? values.get('cache') ?? 0;
  const shared = values.get('total_shmem') ?? values.get('shmem') ?? 0;
  const pageCacheBytes = Math.max(0, files - shared);
  return { pageCacheBytes, otherBytes: Math.max(0, wholeBytes - pageCacheBytes) };
}
