import { type ChildProcess, spawn } from 'node:child_process';
import { siblingScript } from '../../src/lab/sibling-script.ts';

const cli = siblingScript(import.meta.url, '../../src/cli');

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `forewarm` command under way. */
export class RunningCommand {
  readonly child: ChildProcess;
  readonly end: Promise<Ended>;
  #stdout = '';
  #stderr = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    this.child = spawn(process.execPath, [...cli, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (data) => {
      this.#stdout += data;
    });
    this.child.stderr?.on('data', (data) => {
      this.#stderr += data;
    });
    this.end = new Promise((resolve) => {
      this.child.once('close', (status) => resolve({ status, stdout: this.#stdout, stderr: this.#stderr }));
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** As a service manager does. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.child.kill(signal);
    return await this.end;
  }
}
