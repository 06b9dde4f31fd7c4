import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { ForewarmError } from '../lib/errors.ts';
import { isReachableByOthers, isRoot, labRoot } from './cache-dir.ts';
import { cleanUp, cleanUpNow, type OwnedThing, removeControlGroup } from './clean-up.ts';
import { endProcesses, familyOf, identify, isRunning, type ProcessId } from './process-table.ts';
import { siblingScript } from './sibling-script.ts';

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface OwnedSpawnOptions extends SpawnOptions {
  /** What ends it for good; PostgreSQL wants SIGQUIT. Default SIGTERM. */
  readonly endSignal?: NodeJS.Signals;
}

export interface OwnedChild {
  readonly child: ChildProcess;
  readonly id: ProcessId;
  readonly pid: number;
  /** Resolves when it has ended, whatever the reason. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/**
 * Everything that a lab starts, and nothing else: ended and removed by `dispose`, by SIGINT, SIGTERM
 * or SIGHUP to this process, and, through a guard process that watches this one, when it exits or crashes.
 *
 * Children run in sessions of their own, so that Ctrl-C reaches this process first and the servers
 * end in order.
 */
export class OwnedProcesses {
  readonly #things = new Map<string, OwnedThing>();
  readonly #guard: ChildProcess;
  readonly #onSignal: (signal: NodeJS.Signals) => void;
  readonly #onExit: () => void;
  #root: string | undefined;
  #disposal: Promise<void> | undefined;
  #lastKey = 0;

  /** `handleSignals: false` leaves SIGINT and its like to the caller, who must call `dispose`. */
  constructor(options: { handleSignals?: boolean } = {}) {
    this.#guard = spawn(process.execPath, siblingScript(import.meta.url, 'guard'), {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
      env: withoutNodeOptions(),
    });
    this.#guard.unref();
    this.#guard.stdin?.on('error', () => {});
    (this.#guard.stdin as unknown as { unref?: () => void }).unref?.();
    this.#onSignal = (signal) => {
      void this.dispose().finally(() => {
        // Dies of the signal as if it had never been caught, unless somebody else handles it.
        if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
      });
    };
    this.#onExit = () => cleanUpNow([...this.#things.values()], 3_000);
    if (options.handleSignals !== false)
      for (const signal of endingSignals) process.once(signal, this.#onSignal);
    process.once('exit', this.#onExit);
  }

  /** A new folder below the lab's root, readable by other users, removed at the end. */
  folder(name: string): string {
    if (this.#root === undefined) {
      mkdirSync(labRoot(), { recursive: true });
      if (isRoot() && !isReachableByOthers(labRoot())) {
        throw new ForewarmError(
          'lab_unavailable',
          `${labRoot()} cannot be read by the user that servers run as`,
          {
            hint: 'Set FOREWARM_LAB_DIR to a folder on a disk that every user can reach, such as /var/tmp.',
          },
        );
      }
      this.#root = mkdtempSync(join(labRoot(), 'forewarm-'));
      chmodSync(this.#root, 0o755);
      this.#own({ key: this.#key('folder'), kind: 'folder', path: this.#root });
    }
    const path = join(this.#root, name);
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return path;
  }

  ownControlGroup(path: string): { release(): Promise<void> } {
    const thing: OwnedThing = { key: this.#key('cgroup'), kind: 'cgroup', path };
    this.#own(thing);
    return {
      release: async () => {
        await removeControlGroup(path);
        this.#forget(thing.key);
      },
    };
  }

  /** Containers with their networks, volumes and images, all that has this label: `name=value`. */
  ownContainers(label: string): void {
    this.#own({ key: this.#key('containers'), kind: 'containers', label });
  }

  spawn(command: string, args: readonly string[], options: OwnedSpawnOptions = {}): OwnedChild {
    if (this.#disposal !== undefined) {
      throw new ForewarmError('lab_unavailable', `${command} was not started: the lab is being taken down`);
    }
    const { endSignal = 'SIGTERM', ...spawnOptions } = options;
    const child = spawn(command, args, { ...spawnOptions, detached: true });
    const id = child.pid === undefined ? undefined : identify(child.pid);
    const key = this.#key('process');
    const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
      child.once('exit', (code, signal) => {
        // What it has left behind in its session is still ours to end.
        if (id === undefined || familyOf([id]).every((member) => !isRunning(member))) this.#forget(key);
        resolve({ code, signal });
      });
    });
    if (child.pid === undefined || id === undefined) {
      child.once('error', () => {});
      throw new ForewarmError('lab_unavailable', `${command} could not be started`, {
        hint: 'Check that the file exists and that this user, or the one the server runs as, may execute it.',
      });
    }
    this.#own({ key, kind: 'process', id, signal: endSignal });
    return { child, id, pid: child.pid, ended };
  }

  /** Ends one child and all below it; SIGKILL after `graceMs`. */
  async end(owned: OwnedChild, signal: NodeJS.Signals = 'SIGTERM', graceMs = 10_000): Promise<void> {
    await endProcesses([{ id: owned.id, signal }], graceMs);
    if (!isRunning(owned.id)) await owned.ended;
  }

  /** True while and after everything is taken down. */
  get isOver(): boolean {
    return this.#disposal !== undefined;
  }

  /** The processes that still run. */
  running(): number[] {
    return [...this.#things.values()].flatMap((thing) =>
      thing.kind === 'process' && isRunning(thing.id) ? [thing.id.pid] : [],
    );
  }

  /** Ends and removes everything; may be called many times. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#disposeOnce();
    return this.#disposal;
  }

  async #disposeOnce(): Promise<void> {
    await cleanUp([...this.#things.values()]);
    this.#things.clear();
    for (const signal of endingSignals) process.removeListener(signal, this.#onSignal);
    process.removeListener('exit', this.#onExit);
    this.#guard.stdin?.end();
  }

  #key(kind: string): string {
    this.#lastKey += 1;
    return `${kind}-${this.#lastKey}`;
  }

  #own(thing: OwnedThing): void {
    this.#things.set(thing.key, thing);
    this.#tellGuard({ own: thing });
  }

  #forget(key: string): void {
    if (this.#things.delete(key)) this.#tellGuard({ forget: key });
  }

  #tellGuard(message: object): void {
    if (this.#guard.stdin?.writable) this.#guard.stdin.write(`${JSON.stringify(message)}\n`);
  }
}

/** Loaders and inspectors that were set for this process are not for its helpers. */
function withoutNodeOptions(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return env;
}
