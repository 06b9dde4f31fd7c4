import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { ForewarmError } from '../lib/errors.ts';

const execute = promisify(execFile);
const queryMs = 10_000;

/** libvirt's own client. Its messages are asked for in English. */
export class Virsh {
  readonly #program: string;
  readonly #connect: readonly string[];

  constructor(options: { readonly program: string; readonly uri: string | undefined }) {
    this.#program = options.program;
    this.#connect = options.uri === undefined ? [] : ['--connect', options.uri];
  }

  /** Names of all guests of this host. Rejects when libvirt does not answer. */
  async guests(): Promise<readonly string[]> {
    return (await this.#query('list', '--all', '--name')).split('\n').filter((name) => name !== '');
  }

  /** As in `running (migrated)`. */
  async state(guest: string): Promise<string> {
    return (await this.#query('domstate', '--reason', guest)).trim();
  }

  async xml(guest: string): Promise<string> {
    return await this.#query('dumpxml', guest);
  }

  /**
   * Follows the lifecycle events of all guests until the signal aborts. Rejects when virsh ends before, as it does
   * when the daemon goes away.
   */
  async follow(onLine: (line: string) => void, signal: AbortSignal): Promise<void> {
    const args = [...this.#connect, 'event', '--event', 'lifecycle', '--loop'];
    const child = spawn(this.#program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: english() });
    const stop = () => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    let complaint = '';
    child.stderr?.on('data', (data: Buffer) => {
      complaint = `${complaint}${data}`.slice(-500);
    });
    createInterface({ input: child.stdout! }).on('line', onLine);
    try {
      const status = await ending(child);
      if (signal.aborted) return;
      throw new ForewarmError('hypervisor_failed', `virsh event ended (${status}): ${complaint.trim()}`);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async #query(...args: string[]): Promise<string> {
    try {
      const options = { env: english(), timeout: queryMs, encoding: 'utf8' } as const;
      return (await execute(this.#program, [...this.#connect, ...args], options)).stdout;
    } catch (error) {
      const { stderr } = error as { stderr?: string };
      const why = stderr?.trim() || (error as Error).message;
      throw new ForewarmError('hypervisor_failed', `virsh ${args.join(' ')}: ${why}`, { cause: error });
    }
  }
}

function english(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C' };
}

function ending(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(`${code ?? signal}`));
  });
}
