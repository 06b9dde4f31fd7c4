import { closeSync, openSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { ForewarmError } from '../lib/errors.ts';
import type { OwnedChild, OwnedProcesses } from './owned-processes.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { descendantsOf } from './process-table.ts';
import { run, until } from './run.ts';
import { serverUser } from './server-user.ts';

/** PostgreSQL's settings by name; units as the server takes them, e.g. `'512MB'`. */
export type PostgresSettings = Readonly<Record<string, string | number | boolean>>;

/** `smart` waits for clients, `fast` ends their sessions, `immediate` is a crash with notice. */
export type StopMode = 'smart' | 'fast' | 'immediate';

export const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** The superuser that the lab makes; trust authentication on loopback only. */
export const superuser = 'postgres';
export const defaultDatabase = 'app';

/** For throw-away data: the operating system is trusted to stay up, processes are not. */
export const baseSettings: PostgresSettings = {
  listen_addresses: '127.0.0.1',
  fsync: false,
  shared_buffers: '128MB',
  max_connections: 200,
  wal_level: 'replica',
  max_wal_senders: 10,
  max_replication_slots: 10,
  wal_keep_size: '256MB',
  max_wal_size: '512MB',
  hot_standby: true,
  hot_standby_feedback: true,
  wal_receiver_status_interval: '1s',
  wal_retrieve_retry_interval: '200ms',
  shared_preload_libraries: 'pg_stat_statements',
  compute_query_id: true,
  track_activity_query_size: 4096,
  track_io_timing: true,
  jit: false,
  logging_collector: false,
  log_line_prefix: '%m [%p] %q%u@%d %a ',
  lc_messages: 'C',
};

const clientAuthentication = `local all all trust
host all all 127.0.0.0/8 trust
host replication all 127.0.0.0/8 trust
`;

export interface PostgresServerOptions {
  readonly owned: OwnedProcesses;
  readonly binaries: PostgresBinaries;
  /** How the server is called in folders, in messages and as a standby's application_name. */
  readonly name: string;
  readonly port: number;
  readonly settings?: PostgresSettings;
}

/** One PostgreSQL server on 127.0.0.1; its port and data stay the same over restarts. */
export class PostgresServer {
  readonly name: string;
  readonly port: number;
  readonly dataDir: string;
  readonly socketDir: string;
  readonly binaries: PostgresBinaries;
  readonly #owned: OwnedProcesses;
  readonly #user = serverUser();
  readonly #logFile: string;
  #settings: PostgresSettings;
  #child: OwnedChild | undefined;

  constructor(options: PostgresServerOptions) {
    this.name = options.name;
    this.port = options.port;
    this.binaries = options.binaries;
    this.#owned = options.owned;
    this.#settings = options.settings ?? {};
    const home = options.owned.folder(`pg-${options.name}-${options.port}`);
    this.dataDir = join(home, 'data');
    this.socketDir = join(home, 'socket');
    this.#logFile = join(home, 'log');
  }

  /** The postmaster's; undefined while the server is down. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The postmaster and all its processes now. */
  get pids(): number[] {
    return this.pid === undefined ? [] : [this.pid, ...descendantsOf([this.pid]).map((id) => id.pid)];
  }

  get settings(): PostgresSettings {
    return this.#settings;
  }

  /** A connection string; the lab's superuser in database `app` by default. */
  url(options: { database?: string; role?: string; applicationName?: string } = {}): string {
    const url = new URL(
      `postgres://127.0.0.1:${this.port}/${encodeURIComponent(options.database ?? defaultDatabase)}`,
    );
    url.username = options.role ?? superuser;
    if (options.applicationName !== undefined)
      url.searchParams.set('application_name', options.applicationName);
    return url.href;
  }

  /** The server's log so far. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Makes the folders; `initdb` or a copy fills the data folder then. */
  async prepareFolders(): Promise<void> {
    for (const folder of [this.dataDir, this.socketDir]) await this.#makePrivate(folder);
  }

  /** Makes a folder of the data folder as the server's own user. */
  async makeDataFolder(name: string): Promise<void> {
    await this.#makePrivate(join(this.dataDir, name));
  }

  async #makePrivate(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    await this.#giveAway(folder);
    await chmod(folder, 0o700);
  }

  /** A new, empty cluster with UTF-8 databases and C collation. */
  async initialize(): Promise<void> {
    await this.prepareFolders();
    const flags = [
      '-U',
      superuser,
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ];
    await run(join(this.binaries.binDir, 'initdb'), ['-D', this.dataDir, ...flags], {
      cwd: this.socketDir,
      env: this.#environment(),
      ...this.#user,
    });
    await this.writeDataFile('pg_hba.conf', clientAuthentication);
    await this.configure({});
  }

  /** Adds to this server's settings; undefined takes one away. They hold from the next start on. */
  async configure(changes: Readonly<Record<string, string | number | boolean | undefined>>): Promise<void> {
    const merged = Object.entries({ ...this.#settings, ...changes });
    this.#settings = Object.fromEntries(
      merged.filter(([, value]) => value !== undefined),
    ) as PostgresSettings;
    const own = { port: this.port, unix_socket_directories: this.#socketSetting() };
    await this.writeDataFile(
      'postgresql.conf',
      renderSettings({ ...baseSettings, ...this.#settings, ...own }),
    );
  }

  /** Writes a file of the data folder as the server's own user. */
  async writeDataFile(name: string, text: string): Promise<void> {
    const path = join(this.dataDir, name);
    await writeFile(path, text);
    await this.#giveAway(path);
    await chmod(path, 0o600);
  }

  /** Resolves when the server takes connections: a standby, when it is consistent. */
  async start(options: { timeoutMs?: number } = {}): Promise<void> {
    if (this.#child !== undefined) return;
    const log = openSync(this.#logFile, 'a');
    try {
      this.#child = this.#owned.spawn(join(this.binaries.binDir, 'postgres'), ['-D', this.dataDir], {
        stdio: ['ignore', log, log],
        cwd: this.socketDir,
        env: this.#environment(),
        endSignal: 'SIGQUIT',
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
      `PostgreSQL ${this.name} to take connections`,
      async () => {
        if (this.#child === undefined) {
          throw new ForewarmError(
            'lab_unavailable',
            `PostgreSQL ${this.name} ended while starting: ${this.#logTail()}`,
          );
        }
        const lines = (await readFile(join(this.dataDir, 'postmaster.pid'), 'utf8').catch(() => '')).split(
          '\n',
        );
        return Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready' ? true : undefined;
      },
      { timeoutMs: options.timeoutMs ?? 60_000, hint: () => this.#logTail() },
    );
  }

  /** Makes the database `app` and has `load` fill it. */
  async fill(load?: (client: pg.Client) => Promise<void>): Promise<void> {
    await this.query(`CREATE DATABASE "${defaultDatabase}"`, [], { database: 'postgres' });
    if (load === undefined) return;
    const client = await this.connect();
    try {
      await load(client);
    } finally {
      await client.end();
    }
  }

  async stop(mode: StopMode = 'fast'): Promise<void> {
    if (this.#child !== undefined) await this.#owned.end(this.#child, stopSignals[mode], 60_000);
  }

  /** SIGKILL of the postmaster; resolves when its children have noticed and are gone. */
  async kill(): Promise<void> {
    if (this.#child !== undefined) await this.#owned.end(this.#child, 'SIGKILL', 20_000);
  }

  async restart(mode: StopMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** A connected client, by default of the superuser in database `app`; the caller ends it. */
  async connect(
    options: { database?: string; role?: string; applicationName?: string } = {},
  ): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url(options), connectionTimeoutMillis: 10_000 });
    // A server that is stopped under an idle client must not end the process that watches it.
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  /** Runs one statement as the superuser on a connection of its own. */
  async query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
    options: { database?: string; role?: string } = {},
  ): Promise<Row[]> {
    const client = await this.connect(options);
    try {
      return (await client.query<Row>(text, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  #environment(): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], TZ: 'UTC', LC_ALL: 'C', ...this.binaries.env };
  }

  /** A socket's path has room for 107 bytes; a server with a longer one goes without. */
  #socketSetting(): string {
    return this.socketDir.length < 80 ? this.socketDir : '';
  }

  async #giveAway(path: string): Promise<void> {
    if (this.#user.uid !== undefined && this.#user.gid !== undefined)
      await chown(path, this.#user.uid, this.#user.gid);
  }

  #logTail(): string {
    return this.log().trim().split('\n').slice(-5).join('\n');
  }
}

/** Lines of postgresql.conf. */
export function renderSettings(settings: PostgresSettings): string {
  const quote = (value: string | number | boolean) =>
    typeof value === 'string'
      ? `'${value.replaceAll("'", "''")}'`
      : typeof value === 'boolean'
        ? value
          ? 'on'
          : 'off'
        : `${value}`;
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${quote(value)}\n`)
    .join('');
}
