import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { memoryUse } from '../../lib/memory-use.ts';

/** Where the kernel says things; tests have folders of their own. */
export interface KernelFolders {
  readonly proc: string;
  readonly groups: string;
}
const kernelFolders: KernelFolders = { proc: '/proc', groups: '/sys/fs/cgroup' };

/**
 * Bytes that the page cache of a server on this host could have without swapping: the host's available memory, or the
 * room that is left in the narrowest control group around the server, for what it reads is counted there. Null where
 * the kernel does not say. A process that is not seen as PostgreSQL's from here, as in a container, has the host's.
 */
export async function availableMemoryBytes(
  serverPid: number,
  folders: KernelFolders = kernelFolders,
): Promise<number | null> {
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(await read(folders.proc, 'meminfo'))?.[1];
  if (kilobytes === undefined) return null;
  const rooms = await Promise.all((await groupsOf(serverPid, folders)).map(roomIn));
  return Math.max(0, Math.min(Number(kilobytes) * 1024, ...rooms));
}

interface Group {
  readonly path: string;
  readonly version: 1 | 2;
}

/** The server's memory group and all above it. */
async function groupsOf(pid: number, { proc, groups }: KernelFolders): Promise<readonly Group[]> {
  const process = join(proc, String(pid));
  if (!(await read(process, 'comm')).includes('postgres')) return [];
  return (await read(process, 'cgroup')).split('\n').flatMap((line) => {
    const [, controllers, ...rest] = line.split(':');
    const below = rest.join(':');
    if (controllers === undefined || !below.startsWith('/')) return [];
    if (controllers.split(',').includes('memory')) return upwards(join(groups, 'memory'), below, 1);
    return controllers === '' ? upwards(groups, below, 2) : [];
  });
}

function upwards(root: string, below: string, version: Group['version']): readonly Group[] {
  const found: Group[] = [];
  for (let path = join(root, below); path.startsWith(root); path = dirname(path)) {
    found.push({ path, version });
  }
  return found;
}

const files = {
  1: { limit: 'memory.limit_in_bytes', use: 'memory.usage_in_bytes' },
  2: { limit: 'memory.max', use: 'memory.current' },
} as const;

/** Without a limit, or where there is no such group, as much as one likes. */
async function roomIn({ path, version }: Group): Promise<number> {
  const { limit, use } = files[version];
  const limitBytes = Number.parseInt(await read(path, limit), 10);
  if (!Number.isFinite(limitBytes)) return Number.POSITIVE_INFINITY;
  const whole = Number.parseInt(await read(path, use), 10) || 0;
  return limitBytes - memoryUse(await read(path, 'memory.stat'), whole).otherBytes;
}

function read(folder: string, name: string): Promise<string> {
  return readFile(join(folder, name), 'utf8').catch(() => '');
}
