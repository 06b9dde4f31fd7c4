import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Where fetched server binaries are kept between runs: FOREWARM_CACHE, else the system's or the user's cache. */
export function cacheDir(): string {
  const set = process.env['FOREWARM_CACHE'];
  if (set) return set;
  if (isRoot()) return '/var/cache/forewarm';
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'forewarm');
}

/** Where servers keep their data: FOREWARM_LAB_DIR, else /var/tmp, which is a disk where /tmp may be memory. */
export function labRoot(): string {
  return process.env['FOREWARM_LAB_DIR'] || '/var/tmp';
}

/** Whether any user can reach and read a path: every folder above it lets others pass. */
export function isReachableByOthers(path: string): boolean {
  try {
    if ((statSync(path).mode & 0o005) !== 0o005) return false;
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      if ((statSync(folder).mode & 0o001) === 0) return false;
      if (folder === dirname(folder)) return true;
    }
  } catch {
    return false;
  }
}

export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
