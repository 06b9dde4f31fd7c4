import type { ExecFileOptions } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  access,
  constants,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import { cacheDir } from './cache-dir.ts';
import type { MysqlBinaries } from './mysql-binaries.ts';
import { type MysqlKind, mysqlTraits } from './mysql-kinds.ts';
import { defaultDatabase, type MysqlSettings, rootUser } from './mysql-settings.ts';
import { run } from './run.ts';

export interface NewDataFolder {
  readonly binaries: MysqlBinaries;
  /** Names the data folder, which is empty. */
  readonly optionFile: string;
  readonly dataDir: string;
  /** The server's, without those that name files of its own. */
  readonly settings: MysqlSettings;
  /** Where files may be left that the server's user can read. */
  readonly folder: string;
  /** Who the server runs as, where, and with which environment. */
  readonly process: ExecFileOptions;
}

/** What a server's first run gets to do. */
interface Recipe {
  readonly args: readonly string[];
  readonly statements: string;
  /** Statements are read from stdin, or from a file that this option names. */
  readonly by: 'stdin' | '--init-file';
}

/**
 * Fills an empty data folder with the system's tables, root on 127.0.0.1 and the default database. What it was
 * filled with is kept beside the fetched binaries and copied from there the next time: MySQL takes seconds to make it.
 */
export async function fillDataFolder(target: NewDataFolder): Promise<void> {
  const { binaries, dataDir, process } = target;
  const recipe = await recipes[binaries.kind](binaries);
  const settings = Object.entries(target.settings).filter(([name]) => !traceless.has(name));
  const made = JSON.stringify([binaries.program, recipe, settings, process.uid]);
  const digest = createHash('sha256').update(made).digest('hex').slice(0, 16);
  const kept = join(cacheDir(), 'empty', `${binaries.kind}-${binaries.version}-${digest}`);
  if (await isThere(kept)) {
    await copyDataFolder(kept, dataDir);
    return;
  }
  await make(target, recipe);
  await keep(target, kept);
}

/** Settings that an empty data folder does not show. */
const traceless: ReadonlySet<string> = new Set(['innodb_buffer_pool_size', 'read_only', 'bind_address']);

const recipes: Readonly<Record<MysqlKind, (binaries: MysqlBinaries) => Promise<Recipe>>> = {
  async mysql() {
    const user = `'${rootUser}'@'127.0.0.1'`;
    const statements = [
      // A replica makes its own: to apply the primary's would fail.
      'SET sql_log_bin = 0;',
      `CREATE USER ${user};`,
      `GRANT ALL ON *.* TO ${user} WITH GRANT OPTION;`,
      `CREATE DATABASE ${defaultDatabase};`,
      '',
    ];
    return { args: ['--initialize-insecure'], statements: statements.join('\n'), by: '--init-file' };
  },

  async mariadb({ shareDir }) {
    const tables = await Promise.all(
      ['system_tables', 'performance_tables', 'system_tables_data'].map((name) => systemSql(shareDir, name)),
    );
    const statements = [
      'CREATE DATABASE IF NOT EXISTS mysql;',
      'USE mysql;',
      'SET @auth_root_socket = NULL, @skip_auth_anonymous = 1;',
      ...tables,
      // Grants are not loaded in this mode: the row that CREATE USER and GRANT would make, where it is not there.
      `INSERT IGNORE INTO global_priv SELECT '127.0.0.1', User, Priv FROM global_priv WHERE Host = 'localhost' AND User = '${rootUser}';`,
      `CREATE DATABASE ${defaultDatabase};`,
      '',
    ];
    const args = ['--bootstrap', '--max-allowed-packet=8M', '--net-buffer-length=16K'];
    return { args, statements: statements.join('\n'), by: 'stdin' };
  },
};

/** Nothing needs to survive a crash before it is filled, so nothing waits for the disk. */
async function make(target: NewDataFolder, { args, statements, by }: Recipe): Promise<void> {
  const [command, ...first] = target.binaries.command;
  const options = [`--defaults-file=${target.optionFile}`, ...args, '--innodb-flush-method=nosync'];
  if (by === 'stdin') {
    await run(command, [...first, ...options], { ...target.process, input: statements });
    return;
  }
  const file = join(target.folder, 'init.sql');
  await writeFile(file, statements, { mode: 0o644 });
  await run(command, [...first, ...options, `${by}=${file}`], target.process);
}

/** Whole or not at all: several may do so at the same time. A cache that cannot be written costs time, not the lab. */
async function keep({ binaries, dataDir }: NewDataFolder, kept: string): Promise<void> {
  try {
    await mkdir(dirname(kept), { recursive: true });
    const unfinished = await mkdtemp(`${kept}.`);
    try {
      const { leftOut } = mysqlTraits[binaries.kind];
      // Most of a new log is zeros.
      await copyDataFolder(dataDir, unfinished, { leftOut, sparse: 'always' });
      await rename(unfinished, kept);
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  } catch {
    return;
  }
}

/** Copies what a stopped server's data folder holds into another one. */
export async function copyDataFolder(
  from: string,
  to: string,
  { leftOut, sparse = 'auto' }: { readonly leftOut?: RegExp; readonly sparse?: 'auto' | 'always' } = {},
): Promise<void> {
  const names = (await readdir(from)).filter((name) => leftOut?.test(name) !== true);
  const files = names.map((name) => join(from, name));
  await run('cp', ['-a', '--reflink=auto', `--sparse=${sparse}`, ...files, to]);
}

async function isThere(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/** Lines about the host's name are for accounts that the lab does not make. */
async function systemSql(shareDir: string, name: string): Promise<string> {
  for (const path of [`mariadb_${name}.sql`, `mysql_${name}.sql`].map((file) => join(shareDir, file))) {
    if (!(await isThere(path))) continue;
    const lines = (await readFile(path, 'utf8')).split('\n');
    return lines.filter((line) => !line.includes('@current_hostname')).join('\n');
  }
  throw new ForewarmError('lab_unavailable', `${shareDir} has no mariadb_${name}.sql`, {
    hint: 'Install the whole of mariadb-server, or unset FOREWARM_MARIADB_BIN.',
  });
}
