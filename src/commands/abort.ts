import { Command } from 'commander';
import { ForewarmError } from '../lib/errors.ts';
import { isEnd } from '../migration/transitions.ts';
import { announceAbort } from '../publisher/announce.ts';
import { findMigration } from '../publisher/find-migration.ts';
import {
  addConfigOptions,
  type CommandContext,
  checkName,
  type Flags,
  print,
  withBroker,
} from './context.ts';

interface AbortFlags extends Flags {
  readonly vm?: string;
  readonly migration?: string;
  readonly reason: string;
}

export function createCommand(context: CommandContext): Command {
  const command = new Command('abort')
    .description(
      'Says that a VM stays where it is; the target stops warming for it. Saying it twice changes nothing.',
    )
    .option('--vm <name>', 'the VM; its newest migration is meant')
    .option('--migration <id>', 'the migration')
    .option('--reason <text>', 'for the audit trail', 'aborted by hand')
    .option('--json', 'print the result as JSON');
  addConfigOptions(command);
  command.addHelpText(
    'after',
    '\nExamples:\n  forewarm abort --vm app1\n  forewarm abort --migration app1-42 --reason "host full"',
  );
  command.action((flags: AbortFlags) => abort(context, flags));
  return command;
}

async function abort(context: CommandContext, flags: AbortFlags): Promise<void> {
  const { vm, migration } = flags;
  if (vm === undefined && migration === undefined) {
    throw new ForewarmError('config_invalid', 'abort needs --vm NAME or --migration ID');
  }
  if (vm !== undefined) checkName('--vm', vm);
  if (migration !== undefined) checkName('--migration', migration);
  await withBroker({ context, flags, name: 'abort' }, async (broker) => {
    const found = await findMigration(broker, { vm, migration });
    const state = found.record?.state;
    if (state === 'arrived' || state === 'completed') {
      throw new ForewarmError(
        'migration_unknown',
        `${found.vm} has arrived at ${found.target}: too late to abort`,
        {
          hint: `To send it back, migrate it again; to switch its route alone: forewarm route set ${found.vm} REPLICA`,
        },
      );
    }
    const over = state !== undefined && isEnd(state);
    const reason = flags.reason.slice(0, 1_024);
    if (!over) await announceAbort(broker, { target: found.target, migration: found.id, reason });
    print(
      context,
      flags,
      { migration: found.id, vm: found.vm, target: found.target, state: over ? state : 'aborted' },
      () =>
        over
          ? `migration ${found.id} of ${found.vm} is over already: ${state}\n`
          : `migration ${found.id} of ${found.vm} to ${found.target} is aborted\n`,
    );
  });
}
