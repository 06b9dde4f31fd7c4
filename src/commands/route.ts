import { Command } from 'commander';
import { ForewarmError } from '../lib/errors.ts';
import {
  addConfigOptions,
  type CommandContext,
  checkName,
  type Flags,
  print,
  withBroker,
} from './context.ts';
import { createWatchCommand } from './route-watch.ts';
import { renderTable } from './terminal/table.ts';

interface RouteFlags extends Flags {
  readonly vm?: string;
  readonly to?: string;
}

export function createCommand(context: CommandContext): Command {
  const route = new Command('route').description(
    "Shows, sets, deletes or follows which replica a VM's connections go to. Its epoch rises with each change.",
  );
  const get = new Command('get')
    .description("show a VM's route")
    .argument('[vm]', 'the VM')
    .option('--vm <name>', 'the VM')
    .option('--json', 'print the result as JSON')
    .action((vm: string | undefined, flags: RouteFlags) => getRoute(context, vm, flags));
  const set = new Command('set')
    .description("switch a VM's route by compare-and-set")
    .argument('[vm]', 'the VM')
    .argument('[replica]', 'the replica')
    .option('--vm <name>', 'the VM')
    .option('--to <replica>', 'the replica')
    .option('--json', 'print the result as JSON')
    .action((vm: string | undefined, replica: string | undefined, flags: RouteFlags) =>
      setRoute(context, { vm, replica }, flags),
    );
  const list = new Command('list')
    .description('show all routes')
    .option('--json', 'print the result as JSON')
    .action((flags: RouteFlags) => listRoutes(context, flags));
  const remove = new Command('delete')
    .description("delete a VM's route; applications keep the replica that they use")
    .argument('[vm]', 'the VM')
    .option('--vm <name>', 'the VM')
    .option('--json', 'print the result as JSON')
    .action((vm: string | undefined, flags: RouteFlags) => deleteRoute(context, vm, flags));
  for (const command of [get, set, list, remove]) route.addCommand(addConfigOptions(command));
  route.addCommand(createWatchCommand(context));
  route.addHelpText(
    'after',
    '\nExamples:\n  forewarm route get app1\n  forewarm route set app1 db2\n  forewarm route list --json\n  forewarm route delete app1\n  forewarm route watch app1 --write /run/app1.replica',
  );
  return route;
}

function named(what: string, ...values: readonly (string | undefined)[]): string {
  const value = values.find((given) => given !== undefined);
  if (value === undefined) throw new ForewarmError('config_invalid', `name the ${what}`);
  return checkName(what, value);
}

async function getRoute(
  context: CommandContext,
  argument: string | undefined,
  flags: RouteFlags,
): Promise<void> {
  const vm = named('VM', flags.vm, argument);
  await withBroker({ context, flags, name: 'route' }, async (broker) => {
    const route = await broker.routes.get(vm);
    if (route === null) {
      throw new ForewarmError('vm_unknown', `VM ${vm} has no route`, {
        hint: `Set it with \`forewarm route set ${vm} REPLICA\`; \`forewarm route list\` shows the others.`,
      });
    }
    print(
      context,
      flags,
      { vm, ...route },
      () => `${vm}: ${route.replica}, epoch ${route.epoch}, since ${route.at}\n`,
    );
  });
}

async function setRoute(
  context: CommandContext,
  given: { readonly vm: string | undefined; readonly replica: string | undefined },
  flags: RouteFlags,
): Promise<void> {
  const vm = named('VM', flags.vm, given.vm);
  // With --vm the only argument is the replica.
  const lone = flags.vm === undefined ? undefined : given.vm;
  const replica = named('replica', given.replica, flags.to, lone);
  await withBroker({ context, flags, name: 'route' }, async (broker) => {
    if ((await broker.replicas.get(replica)) === null) {
      context.err(`forewarm: no agent answers for replica ${replica}; the route is set all the same\n`);
    }
    const route = await broker.routes.set(vm, { replica });
    print(context, flags, { vm, ...route }, () => `${vm}: ${route.replica}, epoch ${route.epoch}\n`);
  });
}

async function deleteRoute(
  context: CommandContext,
  argument: string | undefined,
  flags: RouteFlags,
): Promise<void> {
  const vm = named('VM', flags.vm, argument);
  await withBroker({ context, flags, name: 'route' }, async (broker) => {
    const deleted = await broker.routes.delete(vm);
    print(context, flags, { vm, deleted }, () =>
      deleted ? `${vm} has no route any more\n` : `${vm} had no route\n`,
    );
  });
}

async function listRoutes(context: CommandContext, flags: RouteFlags): Promise<void> {
  await withBroker({ context, flags, name: 'route' }, async (broker) => {
    const routes = (await broker.routes.list())
      .map(({ key, value }) => ({ vm: key, ...value }))
      .sort((a, b) => (a.vm < b.vm ? -1 : 1));
    print(context, flags, routes, () =>
      renderTable(
        [
          { title: 'VM', value: (route) => route.vm },
          { title: 'REPLICA', value: (route) => route.replica },
          { title: 'EPOCH', right: true, value: (route) => String(route.epoch) },
          { title: 'SINCE', value: (route) => route.at },
          { title: 'MIGRATION', value: (route) => route.migration ?? '–' },
        ],
        routes,
      ),
    );
  });
}
