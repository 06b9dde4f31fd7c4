import { closeSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import { containersWanted } from './containers/wanted.ts';
import { fetchDebianPackages } from './debian-packages.ts';
import { findPrograms, isExecutable } from './find-program.ts';
import { freePort } from './free-port.ts';
import type { OwnedChild, OwnedProcesses } from './owned-processes.ts';
import { until } from './run.ts';

export interface NatsOptions {
  readonly owned: OwnedProcesses;
  /** Folder of JetStream's data; a new one by default. */
  readonly dir?: string;
  readonly port?: number;
  /** Further lines of the server's configuration file, e.g. `max_payload: 1MB`. */
  readonly config?: string;
}

/** Starts a NATS server with JetStream on 127.0.0.1 and waits until it answers. */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const port = options.port ?? (await freePort());
  const dir = options.dir ?? options.owned.folder(`nats-${port}`);
  const server = await create({ owned: options.owned, dir, port });
  await server.configure(options.config ?? '');
  await server.start();
  return server;
}

async function create(options: { owned: OwnedProcesses; dir: string; port: number }): Promise<NatsServer> {
  if (!containersWanted()) return new NatsServer({ ...options, binary: await locateNats() });
  // Loaded late: it needs a development dependency.
  const { createNatsContainer } = await import('./containers/nats-container.ts');
  return createNatsContainer(options);
}

/** FOREWARM_NATS_BIN, else `nats-server` of this machine, else Debian's package, unpacked into the cache. */
export async function locateNats(): Promise<string> {
  const set = process.env['FOREWARM_NATS_BIN'];
  if (set) {
    if (await isExecutable(set)) return set;
    throw new ForewarmError('lab_unavailable', `FOREWARM_NATS_BIN=${set} is not an executable file`);
  }
  const [installed] = await findPrograms('nats-server');
  if (installed !== undefined) return installed;
  const root = await fetchDebianPackages({ as: 'nats-server', packages: ['nats-server'] });
  return join(root, 'usr/sbin/nats-server');
}

/** One NATS server; port and data stay the same over restarts. */
export class NatsServer {
  readonly port: number;
  readonly dir: string;
  readonly #owned: OwnedProcesses;
  readonly #binary: string;
  #child: OwnedChild | undefined;

  constructor(options: { owned: OwnedProcesses; binary: string; dir: string; port: number }) {
    this.#owned = options.owned;
    this.#binary = options.binary;
    this.dir = options.dir;
    this.port = options.port;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The server's log so far. */
  log(): string {
    return readFileSync(join(this.dir, 'nats.log'), 'utf8');
  }

  async configure(config: string): Promise<void> {
    await writeFile(
      join(this.dir, 'nats.conf'),
      `listen: "127.0.0.1:${this.port}"\njetstream { store_dir: ${JSON.stringify(join(this.dir, 'js'))} }\n${config}\n`,
    );
  }

  async start(): Promise<void> {
    const log = openSync(join(this.dir, 'nats.log'), 'a');
    try {
      this.#child = this.#owned.spawn(this.#binary, ['-c', join(this.dir, 'nats.conf')], {
        stdio: ['ignore', log, log],
        cwd: this.dir,
      });
    } finally {
      closeSync(log);
    }
    const { child } = this.#child;
    await this.untilAnswers(() => child.exitCode !== null);
  }

  protected async untilAnswers(hasEnded: () => boolean): Promise<void> {
    await until(
      'NATS to answer',
      async () => {
        if (hasEnded()) {
          throw new ForewarmError(
            'lab_unavailable',
            `nats-server ended: ${this.log().trim().split('\n').slice(-3).join('\n')}`,
          );
        }
        return (await greeting(this.port)) ? true : undefined;
      },
      { timeoutMs: 15_000 },
    );
  }

  /** In order, as an operator would. */
  async stop(): Promise<void> {
    if (this.#child !== undefined) await this.#owned.end(this.#child, 'SIGTERM');
    this.#child = undefined;
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    if (this.#child !== undefined) await this.#owned.end(this.#child, 'SIGKILL');
    this.#child = undefined;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}

/** A NATS server greets first: `INFO {…}`. */
function greeting(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('data', (data) => {
      resolve(data.toString('latin1').startsWith('INFO '));
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
