import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ForewarmError } from '../../lib/errors.ts';
import { isRoot } from '../cache-dir.ts';
import { findPrograms } from '../find-program.ts';
import type { OwnedProcesses } from '../owned-processes.ts';
import { locateQemu } from '../qemu.ts';
import { run, until } from '../run.ts';
import type { Accelerator } from './guest.ts';
import type { GuestImage } from './guest-image.ts';

/** The programs that are called, with Debian's packages that hold them. */
const programs = {
  ip: 'iproute2',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  dpkg: 'dpkg',
  ldd: 'libc-bin',
};

/** What this machine is asked about, so that a test can answer for another one. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  readonly root: boolean;
  find(program: string): Promise<readonly string[]>;
  canOpen(device: string): boolean;
  /** Makes a bridge and a card in a namespace of their own, which are gone at once. */
  tryNetwork(): Promise<void>;
  locateQemu(): Promise<unknown>;
}

/** Rejects with `lab_unavailable` and all that is missing for guests that are migrated live. */
export async function requireLiveGuests(machine: Machine = thisMachine): Promise<void> {
  const missing = await missingForLiveGuests(machine);
  if (missing.length === 0) return;
  throw new ForewarmError(
    'lab_unavailable',
    `guests cannot be migrated on this machine: ${missing.join('; ')}`,
    {
      hint: 'Without --live the VMs are processes, which runs everywhere.',
    },
  );
}

export async function missingForLiveGuests(machine: Machine): Promise<readonly string[]> {
  const { platform, arch, root } = machine;
  if (platform !== 'linux' || arch !== 'x64')
    return [`it is ${platform} on ${arch}, and guests need linux on x64`];
  const missing: string[] = [];
  if (!root) missing.push('a network namespace with cards in it needs root');
  for (const [program, debianPackage] of Object.entries(programs)) {
    if ((await machine.find(program)).length === 0)
      missing.push(`there is no program ${program} (Debian: ${debianPackage})`);
  }
  if (!machine.canOpen('/dev/net/tun')) missing.push('/dev/net/tun cannot be opened (modprobe tun)');
  if (missing.length === 0) {
    await machine.tryNetwork().catch((error: Error) => {
      missing.push(`no bridge with a card could be made in a network namespace: ${error.message}`);
    });
  }
  await machine.locateQemu().catch((error: Error) => missing.push(error.message));
  return missing;
}

export const thisMachine: Machine = {
  platform: process.platform,
  arch: process.arch,
  root: isRoot(),
  find: findPrograms,
  canOpen: isReadable,
  async tryNetwork() {
    const commands =
      'ip link add guests type bridge && ip tuntap add dev tap mode tap && ip link set tap master guests';
    await run('unshare', ['--net', 'sh', '-c', commands]);
  },
  locateQemu,
};

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** KVM where a guest really comes up with it: the device alone says little where this machine is a guest itself. */
export async function chooseAccelerator(owned: OwnedProcesses, image: GuestImage): Promise<Accelerator> {
  if (!isReadable('/dev/kvm')) return 'tcg';
  const { program, args, env } = await locateQemu();
  const log = join(owned.folder('kvm-probe'), 'console');
  const probe = owned.spawn(
    program,
    [
      ...args,
      ...[
        '-machine',
        'pc,accel=kvm',
        '-cpu',
        'max',
        '-m',
        '512',
        '-display',
        'none',
        '-nodefaults',
        '-no-reboot',
      ],
      ...['-kernel', image.kernel, '-initrd', image.initrd, '-append', 'console=ttyS0 panic=-1 quiet'],
      ...['-serial', `file:${log}`],
    ],
    { stdio: 'ignore', env: { ...process.env, ...env } },
  );
  const isUp = async () => {
    const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
    if (text.includes('forewarm-guest-is-up')) return true;
    return probe.child.exitCode === null ? undefined : false;
  };
  try {
    return (await until('a guest under KVM', isUp, { timeoutMs: 15_000, everyMs: 100 })) ? 'kvm' : 'tcg';
  } catch {
    return 'tcg';
  } finally {
    await owned.end(probe, 'SIGKILL');
  }
}
