import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildHook } from '../../src/hypervisor/build-hook.ts';
import { installLauncher, launcherScript } from '../../src/hypervisor/libvirt-install.ts';
import { PendingMigrations } from '../../src/hypervisor/pending.ts';

export const recorded = (file: string) =>
  readFileSync(new URL(`../unit/hypervisor/recorded/${file}`, import.meta.url), 'utf8');

/** What libvirt sends for a guest that is about to come. */
export const comingXml = recorded('run31-clean-1to2/001-hv2-migrate-begin.xml');

export interface HookResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  /** The domain's; one that libvirt sent, by default. */
  readonly xml?: string;
  /** Lets stdin never end. */
  readonly keepStdin?: boolean;
  readonly launcher?: string;
  /** Beside libvirt's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One hypervisor as libvirt's hook sees it: the installed launcher, its configuration and its notes. */
export class HookHost {
  readonly pending: PendingMigrations;
  readonly configFile: string;
  /** What libvirt runs. */
  readonly launcher: string;
  /** The same on a host without Node: what it answers, it has answered without. */
  readonly launcherWithoutNode: string;
  /** Written by the hook's process for the calls after it. */
  readonly shortcut: string;
  readonly #folder: string;
  static #bundle: string | undefined;

  constructor(folder: string, config: object) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.configFile = join(folder, 'hook.yaml');
    this.pending = new PendingMigrations(join(folder, 'state'));
    this.shortcut = join(folder, 'shortcut');
    this.configure(config);
    this.launcher = join(folder, 'qemu.d', 'forewarm');
    this.launcherWithoutNode = join(folder, 'without-node', 'forewarm');
    installLauncher(this.launcher, this.#script(process.execPath));
    installLauncher(this.launcherWithoutNode, this.#script('/nowhere/node'));
  }

  #script(node: string): string {
    return launcherScript({
      command: [node, join(HookHost.#bundle!, 'start.cjs')],
      timeout: '/usr/bin/timeout',
      boundMs: 60_000,
      config: this.configFile,
      quick: {
        bash: '/bin/bash',
        script: join(HookHost.#bundle!, 'stranger.bash'),
        shortcut: this.shortcut,
      },
    });
  }

  /** Makes the hook as the build does; once, before the first host. */
  static async build(folder: string): Promise<void> {
    await buildHook(folder);
    HookHost.#bundle = folder;
  }

  configure(config: object): void {
    const own = { state: join(this.#folder, 'state'), logFile: join(this.#folder, 'log') };
    writeFileSync(this.configFile, JSON.stringify({ ...own, ...config }));
  }

  log(): string {
    return readFileSync(join(this.#folder, 'log'), 'utf8');
  }

  /**
   * One call, in the environment that libvirt gives. Resolves when the process has ended and nobody holds its
   * stdout and stderr any more.
   */
  call(args: readonly string[], options: CallOptions = {}) {
    const { launcher = this.launcher, env } = options;
    const child = spawn(launcher, args, {
      env: { HOME: '/', LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env },
      cwd: '/',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    // A hook that has ended reads no more.
    child.stdin.on('error', () => {});
    child.stdin.write(options.xml ?? comingXml);
    if (!options.keepStdin) child.stdin.end();
    return new Promise<HookResult>((resolve) => {
      child.once('close', (status) => {
        child.stdin.destroy();
        resolve({ status, stdout, stderr });
      });
    });
  }

  coming(guest: string, options: CallOptions = {}) {
    return this.call([guest, 'migrate', 'begin', '-'], options);
  }
}
