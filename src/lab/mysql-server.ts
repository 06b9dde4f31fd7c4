import { closeSync, openSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { ForewarmError } from '../lib/errors.ts';
import { isReachableByOthers, isRoot } from './cache-dir.ts';
import type { MysqlBinaries } from './mysql-binaries.ts';
import { fillDataFolder } from './mysql-data-folder.ts';
import { type MysqlKind, mysqlTraits } from './mysql-kinds.ts';
import {
  baseSettings,
  defaultDatabase,
  type MysqlSettings,
  renderOptionFile,
  rootUser,
} from './mysql-settings.ts';
import type { OwnedChild, OwnedProcesses } from './owned-processes.ts';
import { descendantsOf } from './process-table.ts';
import { until } from './run.ts';
import { serverUser } from './server-user.ts';

export interface MysqlServerOptions {
  readonly owned: OwnedProcesses;
  readonly binaries: MysqlBinaries;
  /** How the server is called in folders and in messages. */
  readonly name: string;
  /** On 127.0.0.1; also its server_id. */
  readonly port: number;
  readonly settings?: MysqlSettings;
}

/** Who a connection is; the lab's root in database `app` by default. */
export interface MysqlLogin {
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  /** The session's `program_name` among its connection attributes. */
  readonly programName?: string;
}

/** One MariaDB or MySQL server on 127.0.0.1; its port and data stay the same over restarts. */
export class MysqlServer {
  readonly kind: MysqlKind;
  readonly name: string;
  readonly port: number;
  readonly dataDir: string;
  readonly binaries: MysqlBinaries;
  readonly #owned: OwnedProcesses;
  readonly #home: string;
  readonly #user: { uid?: number; gid?: number };
  readonly #title: string;
  #settings: MysqlSettings;
  #child: OwnedChild | undefined;

  constructor(options: MysqlServerOptions) {
    this.kind = options.binaries.kind;
    this.name = options.name;
    this.port = options.port;
    this.binaries = options.binaries;
    this.#owned = options.owned;
    this.#settings = options.settings ?? {};
    this.#user = ownUser(options.binaries);
    this.#title = `${mysqlTraits[this.kind].title} ${this.name}`;
    this.#home = options.owned.folder(`${this.kind}-${options.name}-${options.port}`);
    this.dataDir = join(this.#home, 'data');
  }

  /** Undefined while the server is down. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The server and all its processes now. */
  get pids(): number[] {
    return this.pid === undefined ? [] : [this.pid, ...descendantsOf([this.pid]).map((id) => id.pid)];
  }

  /** Those that were given; not the lab's own ones below them. */
  get settings(): MysqlSettings {
    return this.#settings;
  }

  /** A connection string; the lab's root in database `app` by default. */
  url(login: Omit<MysqlLogin, 'programName'> = {}): string {
    const url = new URL(
      `mysql://127.0.0.1:${this.port}/${encodeURIComponent(login.database ?? defaultDatabase)}`,
    );
    url.username = login.user ?? rootUser;
    url.password = login.password ?? '';
    return url.href;
  }

  /** The server's log so far. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Makes the folders; `initialize` or a copy fills the data folder then. */
  async prepareFolders(): Promise<void> {
    for (const folder of [this.dataDir, join(this.#home, 'tmp')]) {
      await mkdir(folder, { recursive: true });
      if (this.#user.uid !== undefined && this.#user.gid !== undefined)
        await chown(folder, this.#user.uid, this.#user.gid);
      await chmod(folder, 0o700);
    }
    await this.configure({});
  }

  /** A new server with an empty database `app`, and a root who needs no password on 127.0.0.1. */
  async initialize(): Promise<void> {
    await this.prepareFolders();
    await fillDataFolder({
      binaries: this.binaries,
      optionFile: this.#optionFile,
      dataDir: this.dataDir,
      settings: this.#allSettings,
      folder: this.#home,
      process: { cwd: this.#home, env: this.#environment(), ...this.#user },
    });
  }

  /** Adds to this server's settings; undefined takes one away. They hold from the next start on. */
  async configure(changes: Readonly<Record<string, string | number | boolean | undefined>>): Promise<void> {
    const merged = Object.entries({ ...this.#settings, ...changes });
    this.#settings = Object.fromEntries(merged.filter(([, value]) => value !== undefined)) as MysqlSettings;
    const own: MysqlSettings = {
      ...this.binaries.settings,
      datadir: this.dataDir,
      tmpdir: join(this.#home, 'tmp'),
      port: this.port,
      server_id: this.port,
      // Relative to the data folder: a socket's whole path has room for 107 bytes only.
      socket: 'server.sock',
      pid_file: join(this.dataDir, 'server.pid'),
      ...(isRoot() && this.#user.uid === undefined ? { user: 'root' } : {}),
    };
    await writeFile(this.#optionFile, renderOptionFile({ ...this.#allSettings, ...own }), { mode: 0o644 });
  }

  /** Resolves when the server takes connections. */
  async start(options: { timeoutMs?: number } = {}): Promise<void> {
    if (this.#child !== undefined) return;
    const [command, ...args] = this.binaries.command;
    const log = openSync(this.#logFile, 'a');
    try {
      this.#child = this.#owned.spawn(command, [...args, `--defaults-file=${this.#optionFile}`], {
        stdio: ['ignore', log, log],
        cwd: this.#home,
        env: this.#environment(),
        // Its data goes with it: an orderly end would be for nothing.
        endSignal: 'SIGKILL',
        ...this.#user,
      });
    } finally {
      closeSync(log);
    }
    const child = this.#child;
    void child.ended.then(() => {
      if (this.#child === child) this.#child = undefined;
    });
    await until(
      `${this.#title} to take connections`,
      async () => {
        if (this.#child === undefined) {
          throw new ForewarmError(
            'lab_unavailable',
            `${this.#title} ended while starting: ${this.#logTail()}`,
          );
        }
        const pid = await readFile(join(this.dataDir, 'server.pid'), 'utf8').catch(() => '');
        return Number(pid) === child.pid && (await this.#answers()) ? true : undefined;
      },
      { timeoutMs: options.timeoutMs ?? 60_000, hint: () => this.#logTail() },
    );
  }

  /** In order: what is committed is in the data files or the redo log. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    await this.#endBinlogDumps().catch(() => {});
    await this.#owned.end(child, 'SIGTERM', 60_000);
  }

  /** SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    if (this.#child !== undefined) await this.#owned.end(this.#child, 'SIGKILL', 20_000);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** A connection; the caller ends it. */
  async connect(login: MysqlLogin = {}): Promise<mysql.Connection> {
    const connection = await mysql.createConnection({
      host: '127.0.0.1',
      port: this.port,
      user: login.user ?? rootUser,
      password: login.password ?? '',
      database: login.database ?? defaultDatabase,
      connectTimeout: 10_000,
      ...(login.programName === undefined ? {} : { connectAttributes: { program_name: login.programName } }),
    });
    // A server that is stopped under an idle client must not end the process that watches it.
    connection.on('error', () => {});
    return connection;
  }

  /** Runs one statement on a connection of its own; no rows for one that gives none. */
  async query<Row = Record<string, unknown>>(
    text: string,
    values: readonly unknown[] = [],
    login: MysqlLogin = {},
  ): Promise<Row[]> {
    const connection = await this.connect(login);
    try {
      const [rows] = await connection.query(text, [...values]);
      return Array.isArray(rows) ? (rows as Row[]) : [];
    } finally {
      await connection.end();
    }
  }

  get #allSettings(): MysqlSettings {
    return { ...baseSettings, ...mysqlTraits[this.kind].settings, ...this.#settings };
  }

  get #optionFile(): string {
    return join(this.#home, 'server.cnf');
  }

  get #logFile(): string {
    return join(this.#home, 'log');
  }

  async #answers(): Promise<boolean> {
    return this.query('SELECT 1').then(
      () => true,
      () => false,
    );
  }

  /** A shutdown of MySQL waits ten seconds for its replicas' sessions; they come back by themselves. */
  async #endBinlogDumps(): Promise<void> {
    const dumps = await this.query<{ id: number }>(
      `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'`,
    );
    for (const { id } of dumps) await this.query('KILL ?', [id]);
  }

  #environment(): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], TZ: 'UTC', LC_ALL: 'C', ...this.binaries.env };
  }

  #logTail(): string {
    return this.log().trim().split('\n').slice(-5).join('\n');
  }
}

/** Root itself where the binaries are out of the reach of the user that servers run as, or there is none. */
function ownUser(binaries: MysqlBinaries): { uid?: number; gid?: number } {
  if (!isReachableByOthers(binaries.program)) return {};
  try {
    return serverUser();
  } catch {
    return {};
  }
}
