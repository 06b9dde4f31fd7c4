import { access, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import { fetchDebianPackages, libraryFolders } from './debian-packages.ts';
import { fetchFromDebianSuite, loaderCommand } from './debian-suite.ts';
import { findPrograms, isExecutable } from './find-program.ts';
import { type MysqlKind, mysqlTraits } from './mysql-kinds.ts';
import type { MysqlSettings } from './mysql-settings.ts';
import { run } from './run.ts';

/** The server program of one MariaDB or MySQL, of any origin. */
export interface MysqlBinaries {
  readonly kind: MysqlKind;
  /** As the server prints it, e.g. `10.11.14`. */
  readonly version: string;
  /** The server's file; start it by `command`. */
  readonly program: string;
  /** The program, or the loader that it needs, with first arguments. */
  readonly command: readonly [string, ...string[]];
  /** Messages, character sets and what fills a new data folder. */
  readonly shareDir: string;
  /** Where this installation's files are, as settings: it may not be where it was built for. */
  readonly settings: MysqlSettings;
  /** To be added to the environment of the program. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Finds or fetches one server; the host's own packages are never changed. FOREWARM_MARIADB_BIN or
 * FOREWARM_MYSQL_BIN, else this machine's, else Debian's packages, unpacked into the cache. FOREWARM_MARIADB_SUITE
 * (such as `trixie`) takes MariaDB from another Debian than this machine's.
 */
export async function locateMysql(kind: MysqlKind): Promise<MysqlBinaries> {
  const { variable, programs } = mysqlTraits[kind];
  const set = process.env[variable];
  if (set) {
    if (!(await isExecutable(set)))
      throw new ForewarmError('lab_unavailable', `${variable}=${set} is not an executable file`);
    return describe(kind, set);
  }
  const suite = process.env['FOREWARM_MARIADB_SUITE'];
  if (kind === 'mariadb' && suite) return suiteMariadb(suite);
  for (const path of (await Promise.all(programs.map(findPrograms))).flat()) {
    const found = await describe(kind, path).catch(() => undefined);
    if (found !== undefined) return found;
  }
  return kind === 'mariadb' ? fetchedMariadb() : fetchedMysql();
}

async function fetchedMariadb(): Promise<MysqlBinaries> {
  const root = await fetchDebianPackages({
    as: 'mariadb-server',
    packages: ['mariadb-server-core'],
    // Configuration for the host, with scripts.
    skip: ['mariadb-common', 'mysql-common'],
  });
  const env = { LD_LIBRARY_PATH: (await libraryFolders(root)).join(':') };
  return describe('mariadb', join(root, 'usr/sbin/mariadbd'), { env });
}

async function suiteMariadb(suite: string): Promise<MysqlBinaries> {
  const root = await fetchFromDebianSuite({
    as: `mariadb-server-${suite}`,
    suite,
    packages: ['mariadb-server-core'],
    skip: [
      'perl',
      'libperl',
      'libgdbm',
      'libdb5',
      'libc-gconv',
      'base-files',
      'mysql-common',
      'mariadb-common',
    ],
  });
  const program = 'usr/sbin/mariadbd';
  return describe('mariadb', join(root, program), { command: await loaderCommand(root, program) });
}

/** Debian has MySQL in sid alone, built for a libc that is newer than this machine's. */
async function fetchedMysql(): Promise<MysqlBinaries> {
  const root = await fetchFromDebianSuite({
    as: 'mysql-server-sid',
    suite: 'sid',
    packages: ['mysql-server-core'],
    skip: ['perl', 'libperl', 'libgdbm', 'libdb5', 'libc-gconv', 'base-files', 'mysql-common'],
  });
  const program = 'usr/sbin/mysqld';
  return describe('mysql', join(root, program), { command: await loaderCommand(root, program) });
}

async function describe(
  kind: MysqlKind,
  path: string,
  how: { command?: readonly [string, ...string[]]; env?: Readonly<Record<string, string>> } = {},
): Promise<MysqlBinaries> {
  const { title, version: pattern, oldest } = mysqlTraits[kind];
  const program = await realpath(path);
  const command = how.command ?? [program];
  const env = how.env ?? {};
  const printed = await run(command[0], [...command.slice(1), '--no-defaults', '--version'], {
    env: { ...process.env, ...env },
  });
  const version = pattern.exec(printed)?.[1];
  if (version === undefined || version.localeCompare(oldest, 'en', { numeric: true }) < 0) {
    throw new ForewarmError(
      'lab_unavailable',
      `${path} is not ${title} ${oldest} or newer: ${printed.trim()}`,
    );
  }
  const prefix = dirname(dirname(program));
  const shareDir = await firstWith('charsets/Index.xml', prefix, ['share/mysql', 'share/mariadb', 'share']);
  if (shareDir === undefined)
    throw new ForewarmError('lab_unavailable', `${path}: no character sets below ${prefix}/share`);
  const pluginDir = await firstWith('', prefix, ['lib/mysql/plugin', 'lib/plugin', 'lib64/mysql/plugin']);
  const settings = {
    basedir: prefix,
    lc_messages_dir: shareDir,
    character_sets_dir: join(shareDir, 'charsets'),
    ...(pluginDir === undefined ? {} : { plugin_dir: pluginDir }),
  };
  return { kind, version, program, command, shareDir, settings, env };
}

async function firstWith(
  file: string,
  prefix: string,
  folders: readonly string[],
): Promise<string | undefined> {
  for (const folder of folders.map((name) => join(prefix, name))) {
    const found = await access(join(folder, file)).then(
      () => true,
      () => false,
    );
    if (found) return folder;
  }
  return undefined;
}
