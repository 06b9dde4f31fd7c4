import { Command, InvalidArgumentError } from 'commander';
import { type FollowRoute, followRoute } from '../broker/route-feed.ts';
import { loadRouteWatchConfig } from '../config/load.ts';
import { type RouteWatchConfig, routeWatchOptions } from '../config/options.ts';
import { parseDurationMs } from '../config/value-types.ts';
import { ForewarmError } from '../lib/errors.ts';
import { createLogger } from '../lib/logger.ts';
import { Delivery } from '../routing/outputs/deliver.ts';
import { DoneEpoch } from '../routing/outputs/done-epoch.ts';
import type { RouteOutput } from '../routing/outputs/output.ts';
import { deliverOnce, watchVm } from '../routing/outputs/watch-vm.ts';
import {
  addConfigOptions,
  type CommandContext,
  checkName,
  configSource,
  type Flags,
  print,
} from './context.ts';
import { formatMs } from './terminal/format.ts';

interface WatchFlags extends Flags {
  readonly vm?: string;
  readonly once?: boolean;
  readonly write?: string;
  readonly template: string;
  readonly exec?: string;
  readonly execTimeout: number;
  readonly state?: string;
  readonly pgbouncer?: string;
}

export function createWatchCommand(context: CommandContext): Command {
  const command = new Command('watch')
    .description(
      "Follows a VM's route and brings files, commands and PgBouncer to it. What fails is tried again; while NATS is away all stays as it is.",
    )
    .argument('[vm]', 'the VM')
    .option('--vm <name>', 'the VM')
    .option('--once', 'for the present route alone, then exit')
    .option('--json', 'print each change as a line of JSON')
    .optionsGroup('Outputs:')
    .option('--write <file>', 'write the route to a file, as a whole or not at all')
    .option(
      '--template <text>',
      'what is written: {vm}, {replica}, {epoch}, {at}, {migration}, and values of `replicas` such as {host}',
      '{replica}',
    )
    .option(
      '--exec <command>',
      'run a shell command for each epoch in order, with ROUTE_VM, ROUTE_REPLICA, ROUTE_EPOCH, … and such as ROUTE_HOST in its environment',
    )
    .option('--exec-timeout <duration>', 'longest time of one run', parseTimeout, 30_000)
    .option(
      '--state <file>',
      'remember which epoch was done, so that a restart does not run the command again',
    )
    .option(
      '--pgbouncer <ini>',
      'rewrite the entries of [databases] in this file, and have PgBouncer take them',
    );
  for (const option of command.options)
    if (option.long === '--exec-timeout') option.defaultValueDescription = '30s';
  addConfigOptions(command, routeWatchOptions);
  command.addHelpText(
    'after',
    `
Examples:
  forewarm route watch app1
  forewarm route watch app1 --write /run/app1.dsn --template 'host={host} port={port} dbname=app'
  forewarm route watch app1 --write /run/app1.replica --exec 'systemctl reload app1' --state /var/lib/forewarm/app1
  forewarm route watch app1 --pgbouncer /etc/pgbouncer/pgbouncer.ini --pgbouncer-databases app`,
  );
  return command.action((vm: string | undefined, flags: WatchFlags) => watchRoute(context, vm, flags));
}

function parseTimeout(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError('Give a duration such as 30s.');
  return ms;
}

async function watchRoute(
  context: CommandContext,
  argument: string | undefined,
  flags: WatchFlags,
): Promise<void> {
  const given = flags.vm ?? argument;
  if (given === undefined) throw new ForewarmError('config_invalid', 'name the VM');
  const vm = checkName('VM', given);
  const { config, warnings } = loadRouteWatchConfig(configSource(context, flags, routeWatchOptions));
  const note = (text: string) => context.err(`forewarm: ${text}\n`);
  warnings.forEach(note);
  const done = new DoneEpoch(flags.state, vm);
  const delivery = new Delivery({
    settings: await createSettings(vm, flags, config),
    command: await createCommand(vm, flags, config),
    done,
    onFailure: failureTeller(note),
    onMended: (name, route) => note(`${name}, epoch ${route.epoch}: done now`),
  });
  const { signal } = context;
  context.drains = true;
  const watch = {
    ...{ follow: routesOf(vm, config), vm, delivery, done, onNote: note },
    onRoute: (route: { replica: string; epoch: number; at: string }) =>
      print(
        context,
        flags,
        { vm, ...route },
        () => `${vm}: ${route.replica}, epoch ${route.epoch}, since ${route.at}\n`,
      ),
  };
  if (flags.once) return await deliverOnce(watch, signal);
  await watchVm(watch, signal);
  // Ctrl-C and a service manager's stop are how a watch is meant to end.
  context.exitStatus = 0;
}

/** It needs no more of NATS than to read the bucket of routes. */
function routesOf(vm: string, { nats: { prefix, ...nats } }: RouteWatchConfig): FollowRoute {
  const options = { vm, nats, prefix, history: true, name: 'forewarm route watch' };
  const logger = createLogger({ level: 'error' });
  return (listener, signal) => followRoute({ ...options, logger }, listener, signal);
}

async function createSettings(
  vm: string,
  flags: WatchFlags,
  config: RouteWatchConfig,
): Promise<RouteOutput[]> {
  const { replicas, pgbouncer } = config;
  const settings: RouteOutput[] = [];
  if (flags.write !== undefined) {
    const { Template } = await import('../routing/outputs/template.ts');
    const { createFileOutput } = await import('../routing/outputs/file-output.ts');
    const template = new Template(flags.template);
    template.check(replicas);
    settings.push(createFileOutput({ vm, path: flags.write, template, replicas }));
  }
  if (flags.pgbouncer !== undefined) {
    const { checkPgBouncerReplicas, createPgBouncerOutput } = await import(
      '../routing/outputs/pgbouncer-output.ts'
    );
    checkPgBouncerReplicas(replicas);
    const databases = pgbouncer.databases.length === 0 ? [vm] : pgbouncer.databases;
    settings.push(
      createPgBouncerOutput({ ini: flags.pgbouncer, admin: pgbouncer.admin, databases, replicas }),
    );
  }
  return settings;
}

async function createCommand(
  vm: string,
  flags: WatchFlags,
  { replicas }: RouteWatchConfig,
): Promise<RouteOutput | undefined> {
  if (flags.exec === undefined) {
    if (flags.state === undefined) return undefined;
    throw new ForewarmError('config_invalid', '--state is of the command of --exec, and there is none');
  }
  const { createCommandOutput } = await import('../routing/outputs/command-output.ts');
  return createCommandOutput({ vm, command: flags.exec, timeoutMs: flags.execTimeout, replicas });
}

/** Tells a failure when it is a new one: an output that stays broken is told of once. */
function failureTeller(note: (text: string) => void): (error: Error, delayMs: number) => void {
  let told = '';
  return (error, delayMs) => {
    if (error.message === told) return;
    told = error.message;
    const hint = error instanceof ForewarmError && error.hint !== undefined ? `\n  ${error.hint}` : '';
    note(
      `${error.message}${delayMs > 0 ? `; trying again in ${formatMs(delayMs)}, then ever later` : ''}${hint}`,
    );
  };
}
