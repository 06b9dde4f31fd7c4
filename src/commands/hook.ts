import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { replicaOfHost } from '../config/hook-glance.ts';
import { loadHookConfig } from '../config/load.ts';
import type { HookConfig } from '../config/options.ts';
import { installLauncher, launcherPath, launcherScript } from '../hypervisor/libvirt-install.ts';
import { shortcutFile } from '../hypervisor/shortcut.ts';
import { findPrograms } from '../lab/find-program.ts';
import { siblingScript } from '../lab/sibling-script.ts';
import { describeError, ForewarmError } from '../lib/errors.ts';
import type { CommandContext, Flags } from './context.ts';

interface InstallFlags extends Flags {
  readonly install?: boolean;
  readonly dryRun?: boolean;
  readonly folder: string;
  readonly config?: string;
}

/** What the launcher's own bound has beyond the configured wait, and at least, in milliseconds. */
const beyondWaitMs = 15_000;
const leastBoundMs = 60_000;

export function createCommand(context: CommandContext): Command {
  const command = new Command('hook').description("Answers a hypervisor's hook, or installs it.");
  const libvirt = new Command('libvirt')
    .description(
      "Answers one call of libvirt's qemu hook (GUEST OPERATION SUBOPERATION EXTRA, the domain's XML on stdin), or " +
        'installs the hook. On the destination it publishes the intent and holds the migration until the replica is ' +
        'warm, at most `wait`; it prints nothing on stdout and ends with 0 unless policy `require` refuses.',
    )
    .usage('GUEST OPERATION SUBOPERATION EXTRA | --install [options]')
    .option('--install', "write libvirt's hook on this host")
    .option('--dry-run', 'with --install: only show what would be written')
    .option('--folder <dir>', "libvirt's folder of hooks", '/etc/libvirt/hooks')
    .option('--config <file>', 'configuration file for the hook (default: /etc/forewarm/hook.yaml)');
  libvirt.addHelpText(
    'after',
    '\nExamples:\n  forewarm hook libvirt --install --dry-run\n  forewarm hook libvirt app1 migrate begin - < app1.xml',
  );
  libvirt.action(async (flags: InstallFlags) => {
    if (flags.install !== true) {
      throw new ForewarmError(
        'config_invalid',
        'hook libvirt needs --install, or the four arguments of a call',
      );
    }
    await install(context, flags);
  });
  command.addCommand(libvirt);
  return command;
}

async function install(context: CommandContext, flags: InstallFlags): Promise<void> {
  const given = flags.config ?? context.env['FOREWARM_CONFIG'];
  // libvirt runs the hook in another folder.
  const file = given === undefined ? undefined : resolve(given);
  const config = checkConfig(context, file);
  const [timeout] = await findPrograms('timeout');
  if (timeout === undefined) {
    throw new ForewarmError('config_invalid', 'there is no `timeout` on this host', {
      hint: 'Install coreutils: the hook is started through it.',
    });
  }
  const [bash] = await findPrograms('bash');
  const script = launcherScript({
    command: [process.execPath, ...hookScript()],
    timeout,
    boundMs: Math.max(leastBoundMs, (config?.waitMs ?? 0) + beyondWaitMs),
    config: file,
    quick:
      bash !== undefined && existsSync(stranger)
        ? { bash, script: stranger, shortcut: shortcutFile }
        : undefined,
  });
  const path = launcherPath({ folder: flags.folder, libvirtVersion: libvirtVersion() });
  if (flags.dryRun === true) {
    context.out(`# ${path}, mode 755\n${script}`);
    return;
  }
  compileHook();
  installLauncher(path, script);
  context.out(
    `${path} is written\nlibvirt looks for hooks when it starts: systemctl restart libvirtd (or virtqemud); guests keep running\n`,
  );
}

const bundle = fileURLToPath(new URL('../hook/start.cjs', import.meta.url));
const stranger = fileURLToPath(new URL('../hook/stranger.bash', import.meta.url));

/** The hook as the build makes it; from the sources, the module itself. */
function hookScript(): string[] {
  return existsSync(bundle) ? [bundle] : siblingScript(import.meta.url, '../hypervisor/hook-main');
}

/** With the Node that will run it: compiled code of another one is of no use. Without it the hook is only slower. */
function compileHook(): void {
  if (!existsSync(bundle)) return;
  try {
    execFileSync(process.execPath, [bundle, '--compile'], { stdio: 'ignore', timeout: 30_000 });
  } catch {
    // The package's folder may be read-only.
  }
}

/**
 * Tells what is wrong with the hook's configuration; the hook is installed all the same and warms nothing. This
 * environment is left out of it, for libvirt runs the hook with one of its own.
 */
function checkConfig(context: CommandContext, file: string | undefined): HookConfig | undefined {
  try {
    const { config, warnings } = loadHookConfig({ env: {}, file });
    for (const warning of warnings) context.err(`forewarm: ${warning}\n`);
    if (replicaOfHost(config.hosts, config.host) === undefined) {
      context.err(
        `forewarm: hosts names no replica of ${config.host ?? hostname()}; until it does, the hook warms nothing\n`,
      );
    }
    return config;
  } catch (error) {
    context.err(
      `forewarm: ${describeError(error).message}\nforewarm: until this is mended, the hook warms nothing\n`,
    );
    return undefined;
  }
}

function libvirtVersion(): string | undefined {
  for (const program of ['libvirtd', 'virtqemud', 'virsh']) {
    try {
      const printed = execFileSync(program, ['--version'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const version = /\d+\.\d+\.\d+/.exec(printed)?.[0];
      if (version !== undefined) return version;
    } catch {
      // Not on this host.
    }
  }
  return undefined;
}
