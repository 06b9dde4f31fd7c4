import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { cacheDir } from '../../src/lab/cache-dir.ts';
import { removeFolder } from '../../src/lab/clean-up.ts';
import { fetchFromDebianSuite } from '../../src/lab/debian-suite.ts';
import { findPrograms } from '../../src/lab/find-program.ts';
import { run } from '../../src/lab/run.ts';
import { mariadbPackages, standInPackages, standInSkips } from './stand-in-packages.ts';

/**
 * Builds stand-ins for the official images from Debian packages and this machine's Node, for where no registry can
 * be reached, and prints the variables that name them, as lines of a shell. One file system, one image for each
 * entry point. There is none for Grafana, which Debian does not have; one for MariaDB with the argument `mariadb`.
 */
const withMariadb = process.argv.includes('mariadb');
const base = 'forewarm-stand-in:base';
const bundle = '/etc/ssl/certs/ca-certificates.crt';

/** What differs from `base`, by the variable that names the image. */
const images: Readonly<Record<string, readonly string[]>> = {
  PG_IMAGE: ['RUN chown 999:999 /var/lib/postgresql', 'STOPSIGNAL SIGINT', 'USER postgres'],
  MARIADB_IMAGE: [
    'RUN mkdir -p /run/mysqld /var/lib/mysql && chown -R 998:998 /var/lib/mysql /run/mysqld',
    'USER mysql',
  ],
  NATS_IMAGE: ['ENTRYPOINT ["nats-server"]'],
  PROMETHEUS_IMAGE: [
    'RUN mkdir /prometheus && chown 65534:65534 /prometheus',
    'USER nobody',
    'ENTRYPOINT ["prometheus"]',
  ],
  NODE_IMAGE: [
    'COPY . /var/cache/npm/_cacache',
    `ENV NODE_EXTRA_CA_CERTS=${bundle} npm_config_cafile=${bundle}`,
    'ENV npm_config_cache=/var/cache/npm npm_config_prefer_offline=true',
  ],
};

const passwd = `root:x:0:0:root:/root:/bin/sh
postgres:x:999:999::/var/lib/postgresql:/bin/sh
mysql:x:998:998::/var/lib/mysql:/bin/sh
nobody:x:65534:65534::/nonexistent:/bin/sh
`;
const group = 'root:x:0:\npostgres:x:999:\nmysql:x:998:\nnogroup:x:65534:\n';

/** The suite of Debian that this machine is of: its Node then finds the libraries that it wants. */
async function codename(): Promise<string> {
  const name = /^VERSION_CODENAME=(\w+)/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1];
  if (name === undefined) throw new Error('/etc/os-release has no VERSION_CODENAME: this is no Debian');
  return name;
}

/** Node and npm of this machine, certificates that it trusts, users; laid over the packages. */
async function fillOverlay(overlay: string): Promise<void> {
  for (const folder of [
    'usr/local/bin',
    'usr/local/lib/node_modules',
    `.${dirname(bundle)}`,
    'var/lib/postgresql',
  ]) {
    await mkdir(join(overlay, folder), { recursive: true });
  }
  const [npm] = await findPrograms('npm');
  if (npm === undefined) throw new Error('npm is not on this machine');
  await copyFile(process.execPath, join(overlay, 'usr/local/bin/node'));
  await cp(dirname(dirname(await realpath(npm))), join(overlay, 'usr/local/lib/node_modules/npm'), {
    recursive: true,
  });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(overlay, 'usr/local/bin/npm'));
  for (const tool of ['wget', 'awk']) await symlink('/bin/busybox', join(overlay, 'usr/local/bin', tool));
  // A proxy that this machine trusts may stand between it and the registry.
  await copyFile(bundle, join(overlay, bundle)).catch(() => {});
  await writeFile(join(overlay, 'etc/passwd'), passwd);
  await writeFile(join(overlay, 'etc/group'), group);
  await chmod(join(overlay, 'usr/local/bin/node'), 0o755);
}

async function importBase(root: string): Promise<void> {
  const unneeded = [
    'usr/share/doc',
    'usr/share/man',
    'usr/share/locale',
    'usr/bin/promtool',
    'usr/bin/mariadb-test*',
  ];
  const majors = await readdir(join(root, 'usr/lib/postgresql'));
  const servers = majors.map((major) => `:/usr/lib/postgresql/${major}/bin`).join('');
  const path = `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin${servers}`;
  const labels = ['--change', 'LABEL forewarm.stand-in=true'];
  const tar = spawn(
    'tar',
    [
      ...['-c', '--numeric-owner', '--owner=0', '--group=0'],
      ...unneeded.map((path) => `--exclude=./${path}`),
      ...['-C', root, '.'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const docker = spawn('docker', ['import', '--change', `ENV PATH=${path}`, ...labels, '-', base], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  // Not handed over as it is: what this process has read of it by then would be lost.
  await Promise.all([pipeline(tar.stdout, docker.stdin), ends(tar, 'tar'), ends(docker, 'docker import')]);
}

async function ends(child: ChildProcess, name: string): Promise<void> {
  const [status] = await once(child, 'close');
  if (status !== 0) throw new Error(`${name} ended with ${status}`);
}

/** A folder with what this machine's npm has fetched, which need not be fetched again; empty where that is very much. */
async function npmCache(work: string): Promise<string> {
  const folder = join((await run('npm', ['config', 'get', 'cache'])).trim(), '_cacache');
  const megabytes = parseInt(await run('du', ['-sm', folder]).catch(() => '0'), 10);
  if (megabytes > 0 && megabytes < 500) return folder;
  const empty = join(work, 'empty');
  await mkdir(empty);
  return empty;
}

await mkdir(cacheDir(), { recursive: true });
const work = await mkdtemp(join(cacheDir(), 'stand-in-'));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    rmSync(work, { recursive: true, force: true, maxRetries: 5 });
    process.exit(1);
  });
}
try {
  const suite = await codename();
  const root = await fetchFromDebianSuite({
    ...{ as: withMariadb ? 'stand-in-mariadb' : 'stand-in', suite, skip: standInSkips },
    packages: [...standInPackages, ...(withMariadb ? mariadbPackages : [])],
  });
  const whole = join(work, 'root');
  // Links to the files of the cache, which the overlay replaces rather than writes into.
  await run('cp', ['-al', root, whole]);
  const overlay = join(work, 'overlay');
  await fillOverlay(overlay);
  await run('cp', ['-a', '--remove-destination', `${overlay}/.`, whole]);
  await importBase(whole);
  for (const [variable, lines] of Object.entries(images)) {
    if (variable === 'MARIADB_IMAGE' && !withMariadb) continue;
    const image = `forewarm-stand-in:${variable.toLowerCase().replace('_image', '')}`;
    const context = variable === 'NODE_IMAGE' ? ['-f', '-', await npmCache(work)] : ['-'];
    await run('docker', ['build', '-q', '--network', 'none', '-t', image, ...context], {
      input: [`FROM ${base}`, ...lines, ''].join('\n'),
    });
    process.stdout.write(`export ${variable}=${image}\n`);
  }
} finally {
  await removeFolder(work);
}
