import { chmod, mkdir, mkdtemp, readdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import { cacheDir } from './cache-dir.ts';
import { removeFolder } from './clean-up.ts';
import { run } from './run.ts';

export interface DebianFetch {
  /** Name of the folder in the cache. */
  readonly as: string;
  /** The packages that are wanted, fetched whether this machine has them or not. */
  readonly packages: readonly string[];
  /** Dependencies that this machine lacks are fetched too, save those that begin with one of these. */
  readonly skip?: readonly string[];
}

/**
 * Unpacks Debian packages into the cache and gives the folder that stands for `/`. The host's packages,
 * package lists and locks are left alone; no maintainer script runs, nothing is started. Works for any user.
 */
export async function fetchDebianPackages(fetch: DebianFetch): Promise<string> {
  return unpackIntoCache(fetch.as, (state) =>
    download(state, fetch).catch((error: unknown) => {
      throw new ForewarmError('lab_unavailable', `could not fetch ${fetch.packages.join(', ')} by apt-get`, {
        hint: `Install ${fetch.packages.join(' and ')} on this machine, or set the path of the server's binary (FOREWARM_NATS_BIN, FOREWARM_PG_BIN, FOREWARM_MARIADB_BIN, FOREWARM_PGBOUNCER_BIN, FOREWARM_HAPROXY_BIN, FOREWARM_PROMTOOL_BIN).`,
        cause: error,
      });
    }),
  );
}

/**
 * Unpacks what `download` gives, once: a folder in the cache is complete or not there. `download` gets a folder
 * for apt's state, which is removed in any case.
 */
export async function unpackIntoCache(
  as: string,
  download: (state: string) => Promise<readonly string[]>,
): Promise<string> {
  const home = join(cacheDir(), 'debian', as);
  if (await isComplete(home)) return home;
  await mkdir(dirname(home), { recursive: true });
  const work = await mkdtemp(`${home}.`);
  await chmod(work, 0o755);
  try {
    const state = join(work, 'apt');
    const root = join(work, 'root');
    await mkdir(root);
    const files = await download(state);
    for (const file of files) await run('dpkg', ['-x', file, root]);
    // dpkg -x gives the root folder the mode of the package's own.
    await chmod(root, 0o755);
    await writeFile(join(root, '.complete'), `${files.length} packages\n`);
    // Another run may have been faster: its copy is as good.
    await rename(root, home).catch(async (error: unknown) => {
      if (!(await isComplete(home))) throw error;
    });
    return home;
  } finally {
    await removeFolder(work);
  }
}

/** The folders of shared libraries below an unpacked `/`. */
export async function libraryFolders(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const home of [join(root, 'usr/lib'), join(root, 'lib')]) {
    const names = await readdir(home).catch(() => [] as string[]);
    found.push(...names.filter((name) => name.endsWith('-linux-gnu')).map((name) => join(home, name)));
  }
  return found;
}

async function isComplete(home: string): Promise<boolean> {
  const names = await readdir(home).catch(() => [] as string[]);
  return names.includes('.complete');
}

async function download(state: string, fetch: DebianFetch): Promise<string[]> {
  const archives = join(state, 'archives');
  await mkdir(join(archives, 'partial'), { recursive: true });
  const common = [
    '-q',
    '-o',
    'Debug::NoLocking=1',
    '-o',
    'APT::Sandbox::User=',
    '-o',
    `Dir::Cache::archives=${archives}`,
  ];
  try {
    return await downloadInto(archives, common, fetch);
  } catch {
    // No package lists on this machine, or stale ones: get lists of our own.
    const lists = join(state, 'lists');
    await mkdir(join(lists, 'partial'), { recursive: true });
    const own = [
      ...common,
      ...[
        '-o',
        `Dir::State::lists=${lists}`,
        '-o',
        `Dir::Cache::pkgcache=`,
        '-o',
        'Dir::Cache::srcpkgcache=',
      ],
    ];
    // A foreign source of this machine that does not answer must not stop us: the download decides.
    await run('apt-get', ['update', ...own]).catch(() => {});
    return downloadInto(archives, own, fetch);
  }
}

/** Downloads the packages and what `options` say is missing; gives the files. */
export async function downloadInto(
  archives: string,
  options: readonly string[],
  fetch: DebianFetch,
): Promise<string[]> {
  const skipped = (name: string) => (fetch.skip ?? []).some((prefix) => name.startsWith(prefix));
  const plan = await run('apt-get', [
    'install',
    '-s',
    '--no-install-recommends',
    ...options,
    ...fetch.packages,
  ]);
  const missing = [...plan.matchAll(/^Inst (\S+)/gm)]
    .flatMap((match) => match[1] ?? [])
    .filter((name) => !skipped(name));
  const names = [...new Set([...fetch.packages, ...missing])];
  await run('apt-get', ['download', ...options, ...names], { cwd: archives });
  const files = await readdir(archives);
  return files.filter((file) => file.endsWith('.deb') && !skipped(file)).map((file) => join(archives, file));
}
