import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import { fetchDebianPackages, libraryFolders } from './debian-packages.ts';
import { findPrograms, isExecutable } from './find-program.ts';
import type { OwnedChild, OwnedProcesses } from './owned-processes.ts';

/** A QEMU for x86 guests, of any origin. */
export interface QemuBinary {
  readonly program: string;
  /** Firmware and the like, where they are not where it was built for. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** FOREWARM_QEMU_BIN, else `qemu-system-x86_64` of this machine, else Debian's package, unpacked into the cache. */
export async function locateQemu(): Promise<QemuBinary> {
  const set = process.env['FOREWARM_QEMU_BIN'];
  if (set) {
    if (await isExecutable(set)) return { program: set, args: [], env: {} };
    throw new ForewarmError('lab_unavailable', `FOREWARM_QEMU_BIN=${set} is not an executable file`);
  }
  const [installed] = await findPrograms('qemu-system-x86_64');
  if (installed !== undefined) return { program: installed, args: [], env: {} };
  const root = await fetchDebianPackages({ as: 'qemu-system-x86', packages: ['qemu-system-x86'] });
  const folders = ['qemu', 'seabios'].flatMap((name) => ['-L', join(root, 'usr/share', name)]);
  const env = { LD_LIBRARY_PATH: (await libraryFolders(root)).join(':') };
  return { program: join(root, 'usr/bin/qemu-system-x86_64'), args: folders, env };
}

/** One QEMU process under software emulation: a guest with firmware and full memory, and nothing to boot. */
export interface QemuGuest {
  readonly child: OwnedChild;
  /** QMP sockets, each for one client at a time. */
  readonly qmp: string;
  readonly secondQmp: string;
}

export const guestMiB = 64;
/** Bytes of noise in the guest's memory, which do not migrate as zero pages do. */
export const guestNoiseBytes = 24 << 20;

/** Starts a guest; with `incoming` one that waits for a migration at that URI. */
export async function startQemuGuest(options: {
  readonly owned: OwnedProcesses;
  readonly name: string;
  readonly incoming?: string;
}): Promise<QemuGuest> {
  const { owned, name, incoming } = options;
  const { program, args, env } = await locateQemu();
  const folder = owned.folder(name);
  const noise = join(folder, 'noise');
  writeFileSync(noise, randomBytes(guestNoiseBytes));
  const sockets = { qmp: join(folder, 'qmp'), secondQmp: join(folder, 'qmp2') };
  const child = owned.spawn(
    program,
    [
      ...args,
      ...['-machine', 'pc,accel=tcg', '-m', `${guestMiB}`, '-display', 'none', '-nodefaults'],
      ...['-device', `loader,file=${noise},addr=0x1000000,force-raw=on`],
      ...Object.values(sockets).flatMap((path) => ['-qmp', `unix:${path},server=on,wait=off`]),
      ...(incoming === undefined ? [] : ['-incoming', incoming]),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } },
  );
  return { child, ...sockets };
}
