import { hostname } from 'node:os';
import { Command } from 'commander';
import { connectBroker } from '../broker/broker.ts';
import { replicaOfHost } from '../config/hook-glance.ts';
import { loadHookConfig } from '../config/load.ts';
import { hookOptions } from '../config/options.ts';
import { LibvirtWatch } from '../hypervisor/libvirt-watch.ts';
import { Virsh } from '../hypervisor/virsh.ts';
import { findPrograms, isExecutable } from '../lab/find-program.ts';
import { describeError, ForewarmError } from '../lib/errors.ts';
import { createLogger } from '../lib/logger.ts';
import { retry } from '../lib/retry.ts';
import { runServices } from '../lib/service.ts';
import { addConfigOptions, type CommandContext, configSource, type Flags } from './context.ts';

interface WatchFlags extends Flags {
  readonly connect?: string;
  readonly virsh: string;
}

export function createCommand(context: CommandContext): Command {
  const command = new Command('watch').description(
    "Follows a hypervisor's events, and says which VMs have arrived.",
  );
  const libvirt = new Command('libvirt')
    .description(
      "Follows libvirt's lifecycle events on this host until SIGTERM: a guest that runs here after its migration has " +
        'arrived, one whose migration failed is aborted. Before libvirt 10.5 nothing else tells; run it on every host.',
    )
    .option('--connect <uri>', "libvirt's URI (default: virsh's own)")
    .option('--virsh <path>', "libvirt's client", 'virsh');
  addConfigOptions(libvirt, hookOptions);
  libvirt.addHelpText('after', '\nExample:\n  forewarm watch libvirt --connect qemu:///system');
  libvirt.action((flags: WatchFlags) => watch(context, flags));
  command.addCommand(libvirt);
  return command;
}

async function watch(context: CommandContext, flags: WatchFlags): Promise<void> {
  const { config, warnings } = loadHookConfig(configSource(context, flags, hookOptions));
  for (const warning of warnings) context.err(`forewarm: ${warning}\n`);
  if (replicaOfHost(config.hosts, config.host) === undefined) {
    const host = config.host ?? hostname();
    throw new ForewarmError('config_invalid', `hosts names no replica of this host, ${host}`, {
      hint: `Add it to hosts, or set host to one of ${Object.keys(config.hosts).join(', ')}.`,
    });
  }
  const isThere = flags.virsh.includes('/')
    ? await isExecutable(flags.virsh)
    : (await findPrograms(flags.virsh)).length > 0;
  if (!isThere) {
    throw new ForewarmError('config_invalid', `there is no program ${flags.virsh} on this host`, {
      hint: "Install libvirt's client (Debian: libvirt-clients), or say where it is by --virsh PATH.",
    });
  }
  const logger = createLogger();
  const { signal } = context;
  const connect = () => connectBroker({ ...config.nats, name: 'forewarm watch', logger });
  const onRetry = (error: unknown) => logger.warn({ reason: describeError(error).message }, 'NATS is away');
  const broker = await retry(connect, { signal, onRetry });
  const virsh = new Virsh({ program: flags.virsh, uri: flags.connect });
  try {
    await runServices([new LibvirtWatch({ config, broker, virsh, logger })], signal);
  } finally {
    await broker.close();
  }
  if (signal.aborted) context.exitStatus = 0;
}
