import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { ForewarmError } from '../lib/errors.ts';
import { fetchDebianPackages, libraryFolders } from './debian-packages.ts';
import { findPrograms, isExecutable } from './find-program.ts';
import { freePort } from './free-port.ts';
import type { OwnedChild, OwnedProcesses } from './owned-processes.ts';
import { run, until } from './run.ts';
import { serverUser } from './server-user.ts';

export interface PgBouncerBinary {
  readonly path: string;
  /** To be added to its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** As it prints it, e.g. `1.18.0`. */
  readonly version: string;
}

/** FOREWARM_PGBOUNCER_BIN, else `pgbouncer` of this machine, else Debian's package, unpacked into the cache. */
export async function locatePgBouncer(): Promise<PgBouncerBinary> {
  const set = process.env['FOREWARM_PGBOUNCER_BIN'];
  if (set && !(await isExecutable(set)))
    throw new ForewarmError('lab_unavailable', `FOREWARM_PGBOUNCER_BIN=${set} is not an executable file`);
  const [installed] = set ? [set] : await findPrograms('pgbouncer');
  if (installed !== undefined) return describe(installed, {});
  const root = await fetchDebianPackages({
    as: 'pgbouncer',
    packages: ['pgbouncer'],
    // Scripts of the packaging, and what they need.
    skip: [
      'postgresql-common',
      'postgresql-client',
      'perl',
      'libperl',
      'ssl-cert',
      'openssl',
      'adduser',
      'netbase',
    ],
  });
  const env = { LD_LIBRARY_PATH: (await libraryFolders(root)).join(':') };
  return describe(join(root, 'usr/sbin/pgbouncer'), env);
}

async function describe(path: string, env: Readonly<Record<string, string>>): Promise<PgBouncerBinary> {
  const printed = await run(path, ['--version'], { env: { ...process.env, ...env } });
  return { path, env, version: /PgBouncer (\S+)/i.exec(printed)?.[1] ?? 'unknown' };
}

/** A PgBouncer on 127.0.0.1 whose admin console lets the user `admin` in; trusts every client. */
export class PgBouncer {
  readonly port: number;
  readonly ini: string;
  readonly #owned: OwnedProcesses;
  readonly #binary: PgBouncerBinary;
  readonly #logFile: string;
  #child: OwnedChild | undefined;

  private constructor(options: {
    owned: OwnedProcesses;
    binary: PgBouncerBinary;
    dir: string;
    port: number;
  }) {
    this.#owned = options.owned;
    this.#binary = options.binary;
    this.port = options.port;
    this.ini = join(options.dir, 'pgbouncer.ini');
    this.#logFile = join(options.dir, 'log');
  }

  /** `databases`: the lines of that section. `settings`: further ones of `[pgbouncer]`. */
  static async start(options: {
    readonly owned: OwnedProcesses;
    readonly databases: string;
    readonly settings?: Readonly<Record<string, string | number>>;
  }): Promise<PgBouncer> {
    const { owned, databases, settings } = options;
    const binary = await locatePgBouncer();
    const port = await freePort();
    const server = new PgBouncer({ owned, binary, dir: owned.folder(`pgbouncer-${port}`), port });
    const own = {
      listen_addr: '127.0.0.1',
      listen_port: port,
      unix_socket_dir: '',
      auth_type: 'trust',
      auth_file: join(dirname(server.ini), 'users'),
      admin_users: 'admin',
      ...settings,
    };
    const lines = Object.entries(own).map(([key, value]) => `${key} = ${value}\n`);
    await writeFile(server.ini, `[databases]\n${databases}\n\n[pgbouncer]\n${lines.join('')}`);
    await writeFile(own.auth_file, '"postgres" ""\n"admin" ""\n');
    await server.run();
    return server;
  }

  get version(): string {
    return this.#binary.version;
  }

  url(database: string, user = 'postgres'): string {
    return `postgres://${user}@127.0.0.1:${this.port}/${encodeURIComponent(database)}`;
  }

  /** Connection string of its admin console. */
  get admin(): string {
    return this.url('pgbouncer', 'admin');
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  async readIni(): Promise<string> {
    return await readFile(this.ini, 'utf8');
  }

  /** Starts it, and waits until its console answers. */
  async run(): Promise<void> {
    const log = openSync(this.#logFile, 'a');
    try {
      this.#child = this.#owned.spawn(this.#binary.path, [this.ini], {
        stdio: ['ignore', log, log],
        cwd: '/',
        env: { PATH: process.env['PATH'], LC_ALL: 'C', ...this.#binary.env },
        // It refuses to run as root.
        ...serverUser(),
      });
    } finally {
      closeSync(log);
    }
    const child = this.#child;
    await until(
      'PgBouncer to answer',
      async () => {
        if (child.child.exitCode !== null)
          throw new ForewarmError('lab_unavailable', `PgBouncer ended: ${this.#logTail()}`);
        return await this.show('VERSION').catch(() => undefined);
      },
      { timeoutMs: 15_000, hint: () => this.#logTail() },
    );
  }

  async stop(): Promise<void> {
    // SIGTERM would end its clients' connections; so it does at the end of a test.
    if (this.#child !== undefined) await this.#owned.end(this.#child, 'SIGTERM');
    this.#child = undefined;
  }

  /** Rows of `SHOW what` on the console. */
  async show(what: string): Promise<Record<string, unknown>[]> {
    return await this.command(`SHOW ${what}`);
  }

  async command(statement: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.admin, connectionTimeoutMillis: 5_000 });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  #logTail(): string {
    return this.log().trim().split('\n').slice(-5).join('\n');
  }
}
