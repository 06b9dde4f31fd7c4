import { Command } from 'commander';
import { ForewarmError } from '../lib/errors.ts';
import type { MigrationEvent } from '../messages/event.ts';
import { isEnd } from '../migration/transitions.ts';
import { findMigration } from '../publisher/find-migration.ts';
import {
  addConfigOptions,
  type CommandContext,
  checkName,
  type Flags,
  print,
  withBroker,
} from './context.ts';
import { formatBytes, formatMs, formatTime } from './terminal/format.ts';
import { renderTable } from './terminal/table.ts';

interface HistoryFlags extends Flags {
  readonly vm?: string;
  readonly migration?: string;
  readonly follow?: boolean;
  readonly json?: boolean;
}

export function createCommand(context: CommandContext): Command {
  const command = new Command('history')
    .description("Shows a migration's events in their order, with the time since the one before.")
    .option('--migration <id>', 'the migration')
    .option('--vm <name>', "the VM's newest migration")
    .option('--follow', 'go on with new events until the migration is over')
    .option('--json', 'print JSON; with --follow one event a line');
  addConfigOptions(command);
  command.addHelpText(
    'after',
    '\nExamples:\n  forewarm history --vm app1\n  forewarm history --migration app1-42 --json',
  );
  command.action((flags: HistoryFlags) => history(context, flags));
  return command;
}

async function history(context: CommandContext, flags: HistoryFlags): Promise<void> {
  const { vm, migration } = flags;
  if (vm === undefined && migration === undefined) {
    throw new ForewarmError('config_invalid', 'history needs --migration ID or --vm NAME');
  }
  if (vm !== undefined) checkName('--vm', vm);
  if (migration !== undefined) checkName('--migration', migration);
  await withBroker({ context, flags, name: 'history' }, async (broker) => {
    const id = migration ?? (await findMigration(broker, { vm, migration })).id;
    const events: MigrationEvent[] = [];
    const follow = flags.follow === true;
    for await (const event of broker.events.of(id, { follow, signal: context.signal })) {
      const previous = events.at(-1);
      events.push(event);
      if (follow) print(context, flags, event, () => `${line(event, previous)}\n`);
      if (follow && isEnd(event.state)) break;
    }
    if (events.length === 0) {
      throw new ForewarmError('migration_unknown', `there are no events of migration ${id}`, {
        hint: '`forewarm status --all` lists the migrations.',
      });
    }
    if (!follow) print(context, flags, { migration: id, events }, () => renderHistory(id, events));
  });
}

function line(event: MigrationEvent, previous: MigrationEvent | undefined): string {
  return [formatTime(event.at), since(event, previous), event.state, note(event)].join('  ').trimEnd();
}

function since(event: MigrationEvent, previous: MigrationEvent | undefined): string {
  if (previous === undefined) return '';
  // Those who wrote them may have other clocks.
  const ms = Date.parse(event.at) - Date.parse(previous.at);
  return `${ms < 0 ? '-' : '+'}${formatMs(Math.abs(ms))}`;
}

function note({ progress, reason, code }: MigrationEvent): string {
  const read =
    progress === undefined || progress.blocksTotal === 0
      ? []
      : [`${formatBytes(progress.bytesDone)} of ${formatBytes(progress.bytesTotal)}`];
  const why = reason === undefined ? [] : [code === undefined ? reason : `${reason} (${code})`];
  return [...read, ...why].join('; ');
}

/** Exported for tests. */
export function renderHistory(id: string, events: readonly MigrationEvent[]): string {
  const first = events[0]!;
  const last = events.at(-1)!;
  // A migration's first events may not know its source yet.
  const known = (key: 'vm' | 'source' | 'target') => events.find((event) => event[key] !== undefined)?.[key];
  const way = `${known('source') ?? '?'} → ${known('target') ?? '?'}`;
  const head = `${id}: ${known('vm') ?? '?'}, ${way}, ${first.at.slice(0, 10)}\n`;
  const table = renderTable(
    [
      { title: 'TIME (UTC)', value: ({ event }) => formatTime(event.at) },
      { title: 'AFTER', right: true, value: ({ event, previous }) => since(event, previous) },
      { title: 'STATE', value: ({ event }) => event.state },
      { title: 'NOTE', value: ({ event }) => note(event) },
    ],
    events.map((event, index) => ({ event, previous: events[index - 1] })),
  );
  return `${head}${table}${formatMs(Date.parse(last.at) - Date.parse(first.at))} in all\n`;
}
