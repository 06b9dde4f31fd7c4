import type { ExecFileOptions } from 'node:child_process';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import type { MysqlBinaries } from './mysql-binaries.ts';
import type { MysqlKind } from './mysql-kinds.ts';
import { defaultDatabase, rootUser } from './mysql-settings.ts';
import { run } from './run.ts';

export interface NewDataFolder {
  readonly binaries: MysqlBinaries;
  /** Names the data folder, which is empty. */
  readonly optionFile: string;
  /** Where files may be left that the server's user can read. */
  readonly folder: string;
  /** Who the server runs as, where, and with which environment. */
  readonly process: ExecFileOptions;
}

/** Fills an empty data folder with the system's tables, root on 127.0.0.1 and the default database. */
export async function fillDataFolder(target: NewDataFolder): Promise<void> {
  await fill[target.binaries.kind](target);
}

const fill: Readonly<Record<MysqlKind, (target: NewDataFolder) => Promise<void>>> = {
  async mysql(target) {
    const file = join(target.folder, 'init.sql');
    const user = `'${rootUser}'@'127.0.0.1'`;
    const statements = [
      // A replica makes its own: to apply the primary's would fail.
      'SET sql_log_bin = 0;',
      `CREATE USER ${user};`,
      `GRANT ALL ON *.* TO ${user} WITH GRANT OPTION;`,
      `CREATE DATABASE ${defaultDatabase};`,
    ];
    await writeFile(file, `${statements.join('\n')}\n`, { mode: 0o644 });
    await start(target, ['--initialize-insecure', `--init-file=${file}`]);
  },

  async mariadb(target) {
    const { shareDir } = target.binaries;
    const tables = await Promise.all(
      ['system_tables', 'performance_tables', 'system_tables_data'].map((name) => systemSql(shareDir, name)),
    );
    const input = [
      'CREATE DATABASE IF NOT EXISTS mysql;',
      'USE mysql;',
      'SET @auth_root_socket = NULL, @skip_auth_anonymous = 1;',
      ...tables,
      // Grants are not loaded in this mode: the row that CREATE USER and GRANT would make, where it is not there.
      `INSERT IGNORE INTO global_priv SELECT '127.0.0.1', User, Priv FROM global_priv WHERE Host = 'localhost' AND User = '${rootUser}';`,
      `CREATE DATABASE ${defaultDatabase};`,
      '',
    ].join('\n');
    await start(target, ['--bootstrap', '--max-allowed-packet=8M', '--net-buffer-length=16K'], input);
  },
};

/** Nothing needs to survive a crash before it is filled, so nothing waits for the disk. */
async function start(target: NewDataFolder, args: readonly string[], input?: string): Promise<void> {
  const [command, ...first] = target.binaries.command;
  const options = [`--defaults-file=${target.optionFile}`, ...args, '--innodb-flush-method=nosync'];
  await run(command, [...first, ...options], {
    ...target.process,
    ...(input === undefined ? {} : { input }),
  });
}

/** Lines about the host's name are for accounts that the lab does not make. */
async function systemSql(shareDir: string, name: string): Promise<string> {
  for (const path of [`mariadb_${name}.sql`, `mysql_${name}.sql`].map((file) => join(shareDir, file))) {
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (!found) continue;
    const lines = (await readFile(path, 'utf8')).split('\n');
    return lines.filter((line) => !line.includes('@current_hostname')).join('\n');
  }
  throw new ForewarmError('lab_unavailable', `${shareDir} has no mariadb_${name}.sql`, {
    hint: 'Install the whole of mariadb-server, or unset FOREWARM_MARIADB_BIN.',
  });
}
