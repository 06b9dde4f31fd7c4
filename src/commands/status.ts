import { Command } from 'commander';
import type { Broker } from '../broker/broker.ts';
import { systemClock } from '../lib/clock.ts';
import { addConfigOptions, type CommandContext, type Flags, print, withBroker } from './context.ts';
import { renderStatus, type Status, selectMigrations } from './terminal/status-view.ts';

interface StatusFlags extends Flags {
  readonly watch?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Shown beside those under way. */
const endedCount = 5;
const refreshMs = 1_000;

export function createCommand(context: CommandContext): Command {
  const command = new Command('status')
    .description('Shows the replicas whose agents are alive, the migrations, and the routes.')
    .option('--watch', 'go on showing it until Ctrl-C')
    .option('--all', 'all migrations that are over, not the last five')
    .option('--json', 'print JSON; with --watch one document a line for each change');
  addConfigOptions(command);
  command.addHelpText(
    'after',
    '\nExamples:\n  forewarm status\n  forewarm status --watch\n  forewarm status --json | jq .replicas',
  );
  command.action((flags: StatusFlags) => status(context, flags));
  return command;
}

async function status(context: CommandContext, flags: StatusFlags): Promise<void> {
  await withBroker({ context, flags, name: 'status' }, async (broker) => {
    if (!flags.watch) {
      const now = await readStatus(broker, flags.all === true);
      print(context, flags, now, () => renderStatus(now, Date.now()));
      return;
    }
    await watchStatus(context, flags, broker);
    // Ctrl-C is how a watch is meant to end.
    context.exitStatus = 0;
  });
}

async function readStatus(broker: Broker, all: boolean): Promise<Status> {
  const [replicas, records, routes] = await Promise.all([
    broker.replicas.list(),
    broker.records.list(),
    broker.routes.list(),
  ]);
  return {
    replicas: replicas.map(({ value }) => value).sort((a, b) => (a.replica < b.replica ? -1 : 1)),
    migrations: selectMigrations(
      records.map(({ value }) => value),
      all ? Number.POSITIVE_INFINITY : endedCount,
    ),
    routes: routes.map(({ key, value }) => ({ vm: key, ...value })).sort((a, b) => (a.vm < b.vm ? -1 : 1)),
  };
}

/** Shows it anew each second, and prints what changed where the output is no terminal. */
async function watchStatus(context: CommandContext, flags: StatusFlags, broker: Broker): Promise<void> {
  const { signal } = context;
  let shown = '';
  while (!signal.aborted) {
    const failed = (error: Error) => context.err(`forewarm: ${error.message}; trying again\n`);
    const now = await readStatus(broker, flags.all === true).catch(failed);
    if (now !== undefined && !signal.aborted) {
      const key = JSON.stringify(now);
      if (process.stdout.isTTY && !flags.json) {
        context.out(`\u001b[H\u001b[2J${renderStatus(now, Date.now())}`);
      } else if (key !== shown) {
        print(context, flags, now, () => `${renderStatus(now, Date.now())}\n`);
      }
      shown = key;
    }
    await systemClock.sleep(refreshMs, signal);
  }
}
