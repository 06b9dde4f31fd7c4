import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ForewarmError } from '../../lib/errors.ts';
import { fetchDebianPackages } from '../debian-packages.ts';
import type { OwnedProcesses } from '../owned-processes.ts';
import { run } from '../run.ts';
import { type ArchiveEntry, writeCpio } from './cpio.ts';

/** What QEMU boots: all of a guest is in memory, it has no disk. */
export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
}

/** What a network card of QEMU's needs of the kernel's modules. */
const wantedModules = ['virtio_pci', 'virtio_net'];

/** The first program: devices, network, application. The kernel's command line says who this guest is. */
const init = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$module; done
for word in $(/bin/busybox cat /proc/cmdline); do
  case $word in forewarm.address=*) address=\${word#*=} ;; esac
done
/bin/busybox ip link set lo up
/bin/busybox ip addr add "$address" dev eth0
/bin/busybox ip link set eth0 up
echo forewarm-guest-is-up
exec /bin/node /app.cjs
`;

/**
 * Makes a guest of Debian's cloud kernel, busybox, this Node and the lab's application, in a folder that is removed at
 * the end. The first time it fetches 60 MB of packages into the cache.
 */
export async function makeGuestImage(owned: OwnedProcesses): Promise<GuestImage> {
  const [linux, busybox, app, node] = await Promise.all([
    fetchDebianPackages({ as: 'linux-image-cloud-amd64', ...kernelPackages }),
    fetchDebianPackages({ as: 'busybox-static', packages: ['busybox-static'] }),
    bundleApplication(),
    nodeWithLibraries(),
  ]);
  const boot = join(linux, 'boot');
  const kernel = (await readdir(boot)).find((name) => name.startsWith('vmlinuz-'));
  if (kernel === undefined) throw new ForewarmError('lab_unavailable', `no kernel below ${boot}`);
  const file = (path: string, content: Buffer | string): ArchiveEntry => ({
    ...{ path, kind: 'file', content: Buffer.from(content), executable: true },
  });
  const modules = await modulesInOrder(join(linux, 'lib/modules'));
  const archive = writeCpio([
    ...['proc', 'sys', 'dev', 'tmp'].map((path): ArchiveEntry => ({ path, kind: 'folder' })),
    { path: 'dev/console', kind: 'device', major: 5, minor: 1 },
    file('init', init),
    file('bin/busybox', await readFile(join(busybox, 'bin/busybox'))),
    file('app.cjs', app),
    ...node.map(({ path, content }) => file(path, content)),
    ...modules.map(({ name, content }) => file(`modules/${name}`, content)),
    file('modules/order', `${modules.map(({ name }) => name).join('\n')}\n`),
  ]);
  const initrd = join(owned.folder('guest-image'), 'initrd');
  await writeFile(initrd, archive);
  return { kernel: join(boot, kernel), initrd };
}

/** The kernel's own package is all that is wanted of what it depends on. */
const kernelPackages = {
  packages: ['linux-image-cloud-amd64'],
  skip: [
    'initramfs-tools',
    'dracut',
    'kmod',
    'linux-base',
    'udev',
    'klibc',
    'lib',
    'cpio',
    'busybox',
    'zstd',
  ],
};

/** The application as one file; made anew each time, so that it is as new as the lab. */
async function bundleApplication(): Promise<Buffer> {
  // A development dependency, as benchmarks may have.
  const { build } = await import('esbuild');
  const source = ['guest-app.ts', 'guest-app.js']
    .map((name) => fileURLToPath(new URL(name, import.meta.url)))
    .find((path) => existsSync(path));
  if (source === undefined)
    throw new ForewarmError('lab_unavailable', 'the application of guests is missing');
  const { outputFiles } = await build({
    ...{ entryPoints: [source], bundle: true, platform: 'node', format: 'cjs', target: 'node20' },
    ...{ external: ['pg-native'], minify: true, write: false, logLevel: 'silent' },
  });
  return Buffer.from(outputFiles[0]!.contents);
}

/** This Node as `/bin/node`, and the libraries that it is linked to, at their places. */
async function nodeWithLibraries(): Promise<{ readonly path: string; readonly content: Buffer }[]> {
  const printed = await run('ldd', [process.execPath]).catch(() => '');
  const paths = [...printed.matchAll(/(?:=> )?(\/\S+) \(0x/g)].flatMap(([, path]) => path ?? []);
  return Promise.all([
    readFile(process.execPath).then((content) => ({ path: 'bin/node', content })),
    ...paths.map(async (path) => ({ path: path.slice(1), content: await readFile(path) })),
  ]);
}

/** The wanted modules, and those that they depend on before them. */
async function modulesInOrder(root: string): Promise<{ readonly name: string; readonly content: Buffer }[]> {
  const names = await readdir(root, { recursive: true });
  const files = new Map(
    names.filter((name) => name.endsWith('.ko')).map((name) => [moduleName(name), join(root, name)]),
  );
  const found = new Map<string, Buffer>();
  const add = async (name: string): Promise<void> => {
    const file = files.get(name);
    // It is part of the kernel itself.
    if (file === undefined || found.has(name)) return;
    const content = await readFile(file);
    const depends = /\0depends=([^\0]*)\0/.exec(content.toString('latin1'))?.[1] ?? '';
    for (const other of depends.split(',').filter(Boolean)) await add(moduleName(other));
    found.set(name, content);
  };
  for (const name of wantedModules) await add(name);
  return [...found].map(([name, content]) => ({ name: `${name}.ko`, content }));
}

function moduleName(path: string): string {
  return basename(path, '.ko').replaceAll('-', '_');
}
