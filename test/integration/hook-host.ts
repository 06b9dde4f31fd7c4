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

/** One hypervisor as libvirt's hook sees it: the installed launcher, its configuration and its notes. */
export class HookHost {
  readonly pending: PendingMigrations;
  readonly configFile: string;
  /** What libvirt runs. */
  readonly launcher: string;
  readonly #folder: string;
  static #bundle: string | undefined;

  constructor(folder: string, config: object) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.configFile = join(folder, 'hook.yaml');
    this.pending = new PendingMigrations(join(folder, 'state'));
    this.configure(config);
    this.launcher = join(folder, 'qemu.d', 'forewarm');
    const script = launcherScript({
      command: [process.execPath, join(HookHost.#bundle!, 'start.cjs')],
      timeout: '/usr/bin/timeout',
      boundMs: 60_000,
      config: this.configFile,
    });
    installLauncher(this.launcher, script);
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
  call(args: readonly string[], options: { readonly xml?: string; readonly keepStdin?: boolean } = {}) {
    const child = spawn(this.launcher, args, {
      env: { HOME: '/', LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
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

  coming(guest: string, options: { readonly xml?: string; readonly keepStdin?: boolean } = {}) {
    return this.call([guest, 'migrate', 'begin', '-'], options);
  }
}
