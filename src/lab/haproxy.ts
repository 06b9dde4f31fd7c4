import { closeSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import { fetchDebianPackages, libraryFolders } from './debian-packages.ts';
import { findPrograms, isExecutable } from './find-program.ts';
import type { OwnedChild, OwnedProcesses } from './owned-processes.ts';

export interface HaproxyBinary {
  readonly path: string;
  /** To be added to its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** FOREWARM_HAPROXY_BIN, else `haproxy` of this machine, else Debian's package, unpacked into the cache. */
export async function locateHaproxy(): Promise<HaproxyBinary> {
  const set = process.env['FOREWARM_HAPROXY_BIN'];
  if (set) {
    if (await isExecutable(set)) return { path: set, env: {} };
    throw new ForewarmError('lab_unavailable', `FOREWARM_HAPROXY_BIN=${set} is not an executable file`);
  }
  const [installed] = await findPrograms('haproxy');
  if (installed !== undefined) return { path: installed, env: {} };
  const root = await fetchDebianPackages({
    as: 'haproxy',
    packages: ['haproxy'],
    // Scripts of the packaging.
    skip: ['adduser', 'perl', 'passwd'],
  });
  const env = { LD_LIBRARY_PATH: (await libraryFolders(root)).join(':') };
  return { path: join(root, 'usr/sbin/haproxy'), env };
}

/** One HAProxy in the foreground, with the configuration as it is given. */
export class Haproxy {
  readonly #owned: OwnedProcesses;
  readonly #child: OwnedChild;
  readonly #logFile: string;

  private constructor(owned: OwnedProcesses, child: OwnedChild, logFile: string) {
    this.#owned = owned;
    this.#child = child;
    this.#logFile = logFile;
  }

  static async start(owned: OwnedProcesses, configuration: string): Promise<Haproxy> {
    const { path, env } = await locateHaproxy();
    const dir = owned.folder(`haproxy-${Date.now()}`);
    const file = join(dir, 'haproxy.cfg');
    await writeFile(file, configuration);
    const logFile = join(dir, 'log');
    const log = openSync(logFile, 'a');
    try {
      const child = owned.spawn(path, ['-db', '-f', file], {
        stdio: ['ignore', log, log],
        cwd: dir,
        env: { PATH: process.env['PATH'], LC_ALL: 'C', ...env },
      });
      return new Haproxy(owned, child, logFile);
    } finally {
      closeSync(log);
    }
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  async stop(): Promise<void> {
    await this.#owned.end(this.#child, 'SIGTERM');
  }
}
