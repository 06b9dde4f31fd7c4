import { closeSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OwnedChild, OwnedProcesses } from '../../../src/lab/owned-processes.ts';
import { siblingScript } from '../../../src/lab/sibling-script.ts';

const cli = siblingScript(import.meta.url, '../../../src/cli');

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

const pinoErrorLevel = 50;

/** `forewarm agent --config FILE` as a process of its own, with its log. */
export class AgentProcess {
  readonly replica: string;
  readonly #owned: OwnedProcesses;
  readonly #child: OwnedChild;
  readonly #logFile: string;
  readonly #listen: string;

  private constructor(options: {
    owned: OwnedProcesses;
    child: OwnedChild;
    replica: string;
    log: string;
    listen: string;
  }) {
    this.replica = options.replica;
    this.#owned = options.owned;
    this.#child = options.child;
    this.#logFile = options.log;
    this.#listen = options.listen;
  }

  /** `config`: the agent's file as an object; JSON is YAML. */
  static async start(
    owned: OwnedProcesses,
    config: {
      readonly replica: string;
      readonly http: { readonly listen: string };
      readonly [option: string]: unknown;
    },
  ): Promise<AgentProcess> {
    const dir = owned.folder(`agent-${config.replica}-${Date.now()}`);
    const file = join(dir, 'agent.yaml');
    const log = join(dir, 'log');
    await writeFile(file, JSON.stringify(config, null, 2));
    const output = openSync(log, 'a');
    try {
      const child = owned.spawn(process.execPath, [...cli, 'agent', '--config', file], {
        stdio: ['ignore', output, output],
      });
      return new AgentProcess({ owned, child, replica: config.replica, log, listen: config.http.listen });
    } finally {
      closeSync(output);
    }
  }

  get pid(): number | undefined {
    return this.#child.child.pid;
  }

  get running(): boolean {
    return this.#child.child.exitCode === null && this.#child.child.signalCode === null;
  }

  /** What a scrape gets; rejects where it does not listen. */
  async metrics(): Promise<string> {
    return await (await fetch(`http://${this.#listen}/metrics`)).text();
  }

  /** All that it has logged so far. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** What it has logged so far; a line that is no JSON is a message at the level of errors. */
  lines(): LogLine[] {
    return this.log()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        try {
          return JSON.parse(line) as LogLine;
        } catch {
          return { level: pinoErrorLevel, msg: line };
        }
      });
  }

  /** The texts of warnings and errors among them, with what was said of the cause. */
  complaints(): string[] {
    return this.lines()
      .filter((line) => line.level >= 40)
      .map((line) => [line.msg, line['error'] ?? line['reason']].filter(Boolean).join(': '));
  }

  /** As a crash. */
  async kill(): Promise<void> {
    await this.#owned.end(this.#child, 'SIGKILL');
  }

  /** As a service manager stops it; resolves with how it ended. */
  async stop(graceMs = 15_000): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    await this.#owned.end(this.#child, 'SIGTERM', graceMs);
    return await this.#child.ended;
  }

  /** Stops it in its tracks: it keeps its connections and says nothing. */
  freeze(): void {
    process.kill(this.#child.pid, 'SIGSTOP');
  }

  thaw(): void {
    if (this.running) process.kill(this.#child.pid, 'SIGCONT');
  }
}

export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  readonly ms: number;
}

/** Runs one `forewarm` command to its end. */
export async function forewarm(owned: OwnedProcesses, args: readonly string[]): Promise<CommandResult> {
  const startedMs = performance.now();
  const { child, ended } = owned.spawn(process.execPath, [...cli, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout?.on('data', (data: Buffer) => {
    out += data.toString();
  });
  child.stderr?.on('data', (data: Buffer) => {
    err += data.toString();
  });
  const { code } = await ended;
  return { code, out, err, ms: performance.now() - startedMs };
}
