import { Command } from 'commander';
import { ForewarmError } from '../lib/errors.ts';
import { announceArrival } from '../publisher/announce.ts';
import { findMigration } from '../publisher/find-migration.ts';
import {
  addConfigOptions,
  type CommandContext,
  checkName,
  type Flags,
  print,
  withBroker,
} from './context.ts';

interface ArriveFlags extends Flags {
  readonly vm?: string;
  readonly migration?: string;
  readonly to?: string;
}

export function createCommand(context: CommandContext): Command {
  const command = new Command('arrive')
    .description(
      'Says that a VM runs on its new host, and switches its route to the target. Saying it twice changes nothing.',
    )
    .option('--vm <name>', 'the VM; its newest migration is meant')
    .option('--migration <id>', 'the migration')
    .option('--to <replica>', 'where the VM reads now, when no migration was published')
    .option('--json', 'print the result as JSON');
  addConfigOptions(command);
  command.addHelpText(
    'after',
    '\nExamples:\n  forewarm arrive --vm app1\n  forewarm arrive --migration app1-42 --json',
  );
  command.action((flags: ArriveFlags) => arrive(context, flags));
  return command;
}

async function arrive(context: CommandContext, flags: ArriveFlags): Promise<void> {
  const { vm, migration, to } = flags;
  if (vm === undefined && migration === undefined) {
    throw new ForewarmError('config_invalid', 'arrive needs --vm NAME or --migration ID');
  }
  if (vm !== undefined) checkName('--vm', vm);
  if (migration !== undefined) checkName('--migration', migration);
  if (to !== undefined) checkName('--to', to);
  await withBroker({ context, flags, name: 'arrive' }, async (broker) => {
    const found = await findMigration(broker, { vm, migration }).catch((error) => {
      if (to !== undefined && vm !== undefined && migration === undefined) return undefined;
      throw error;
    });
    if (migration !== undefined && to !== undefined && found !== undefined && to !== found.target) {
      throw new ForewarmError(
        'config_invalid',
        `migration ${migration} leads to ${found.target}, not to ${to}`,
        {
          hint: `Leave out --migration if ${found.vm} reads ${to} now.`,
        },
      );
    }
    // A migration to somewhere else, or one that is over, is not the one that arrived.
    const mine = found !== undefined && (to === undefined || to === found.target) ? found : undefined;
    if (mine?.record?.state === 'aborted' && to === undefined) {
      throw new ForewarmError('migration_unknown', `migration ${mine.id} of ${mine.vm} was aborted`, {
        hint: `If the VM moved all the same: forewarm arrive --vm ${mine.vm} --to ${mine.target}`,
      });
    }
    const toldBefore = to !== undefined && mine?.record?.arrivedAt !== undefined;
    const id = mine?.record?.state === 'aborted' || toldBefore ? undefined : mine?.id;
    const arrival = { vm: vm ?? found!.vm, target: to ?? found!.target, migration: id };
    if (to !== undefined && (await broker.replicas.get(to)) === null) {
      context.err(`forewarm: no agent answers for replica ${to}; the route is set all the same\n`);
    }
    const route = await announceArrival(broker, arrival);
    print(
      context,
      flags,
      { vm: arrival.vm, ...(id === undefined ? {} : { migration: id }), route },
      () => `${arrival.vm} has arrived; its route is ${route.replica}, epoch ${route.epoch}\n`,
    );
  });
}
