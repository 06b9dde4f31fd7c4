import { Command } from 'commander';
import type { Broker } from '../broker/broker.ts';
import { ForewarmError } from '../lib/errors.ts';
import { profileReplySchema } from '../messages/requests.ts';
import {
  addConfigOptions,
  type CommandContext,
  checkName,
  type Flags,
  print,
  withBroker,
} from './context.ts';
import { formatBytes, formatShare } from './terminal/format.ts';
import { renderTable } from './terminal/table.ts';

interface ProfileFlags extends Flags {
  readonly vm: string;
  readonly replica?: string;
}

interface ShownProfile {
  readonly vm: string;
  readonly replica: string;
  readonly at: string;
  readonly unexplainedShare: number;
  /** False: the agent did not answer, and this is the last profile that it published. */
  readonly live: boolean;
  /** Why the agent did not. */
  readonly why?: string;
  readonly blockBytes?: number;
  readonly relations: readonly {
    readonly database: string;
    readonly schema: string;
    readonly name: string;
    readonly kind: string;
    readonly share: number;
    readonly residentBlocks?: number;
    readonly blocksByHeat?: readonly number[];
  }[];
}

export function createCommand(context: CommandContext): Command {
  const command = new Command('profile')
    .description(
      'Shows which relations a VM reads at a replica, and how much of each is in its buffer pool by heat.',
    )
    .requiredOption('--vm <name>', 'the VM')
    .option('--replica <replica>', "the replica (default: the VM's route, else one that has a profile)")
    .option('--json', 'print the result as JSON');
  addConfigOptions(command);
  command.addHelpText(
    'after',
    '\nExamples:\n  forewarm profile --vm app1\n  forewarm profile --vm app1 --replica db1 --json',
  );
  command.action((flags: ProfileFlags) => profile(context, flags));
  return command;
}

async function profile(context: CommandContext, flags: ProfileFlags): Promise<void> {
  const vm = checkName('--vm', flags.vm);
  const named = flags.replica === undefined ? undefined : checkName('--replica', flags.replica);
  await withBroker({ context, flags, name: 'profile' }, async (broker, config) => {
    const replica = named ?? (await findReplica(broker, vm));
    const shown = await readProfile(broker, { vm, replica, timeoutMs: config.nats.timeoutMs });
    if (shown.why !== undefined) context.err(`forewarm: ${shown.why}; its last published profile:\n`);
    print(context, flags, shown, () => renderProfile(shown));
  });
}

async function findReplica(broker: Broker, vm: string): Promise<string> {
  const route = await broker.routes.get(vm);
  if (route !== null) return route.replica;
  const published = (await broker.profiles.list(`*.${vm}`)).map((stored) => stored.value);
  const newest = published.sort((a, b) => Date.parse(b.at) - Date.parse(a.at))[0];
  if (newest !== undefined) return newest.replica;
  throw new ForewarmError(
    'source_unknown',
    `VM ${vm} has no route, and no replica published a profile of it`,
    {
      hint: 'Name one with --replica; `forewarm status` lists those at hand.',
    },
  );
}

/** From the agent, with what is resident; from the bucket when the agent is away. */
async function readProfile(
  broker: Broker,
  of: { readonly vm: string; readonly replica: string; readonly timeoutMs: number },
): Promise<ShownProfile> {
  const { vm, replica, timeoutMs } = of;
  try {
    const reply = await broker.requests.ask(replica, 'profile', { vm }, profileReplySchema, timeoutMs);
    const { at, blockBytes, relations, unexplainedShare } = reply;
    return { replica, vm, at, live: true, blockBytes, relations, unexplainedShare };
  } catch (error) {
    const away =
      error instanceof ForewarmError && (error.code === 'replica_unknown' || error.code === 'source_away');
    const stored = away ? await broker.profiles.get(`${replica}.${vm}`) : null;
    if (stored === null) throw error;
    const { at, relations, unexplained } = stored.value;
    const why = (error as Error).message;
    return { replica, vm, at, live: false, why, relations, unexplainedShare: unexplained.share };
  }
}

/** Exported for tests. */
export function renderProfile(shown: ShownProfile): string {
  const blockBytes = shown.blockBytes ?? 0;
  const heat = (from: number, to: number) => ({
    right: true,
    value: (row: ShownProfile['relations'][number]) =>
      row.blocksByHeat === undefined
        ? '–'
        : String(row.blocksByHeat.slice(from, to + 1).reduce((sum, count) => sum + count, 0)),
  });
  const table = renderTable(
    [
      { title: 'RELATION', value: (row) => `${row.database}: ${row.schema}.${row.name}` },
      { title: 'KIND', value: (row) => row.kind },
      { title: 'SHARE', right: true, value: (row) => formatShare(row.share) },
      {
        title: 'RESIDENT',
        right: true,
        value: (row) =>
          row.residentBlocks === undefined ? '–' : formatBytes(row.residentBlocks * blockBytes),
      },
      ...[5, 4, 3, 2, 1].map((level) => ({ title: `HEAT ${level}`, ...heat(level, level) })),
      { title: 'OS CACHE', ...heat(0, 0) },
    ],
    [...shown.relations].sort((a, b) => b.share - a.share),
  );
  const unexplained = formatShare(shown.unexplainedShare);
  return `VM ${shown.vm} at ${shown.replica}, ${shown.at}\n${table}not explained: ${unexplained} of the block accesses\n`;
}
