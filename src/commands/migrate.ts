import { Command, InvalidArgumentError } from 'commander';
import { parseBytes, parseDurationMs } from '../config/value-types.ts';
import { describeError, ForewarmError } from '../lib/errors.ts';
import type { MigrationRecord } from '../messages/record.ts';
import type { WaitResult } from '../publisher/await-ready.ts';
import { WarmAhead } from '../publisher/warm-ahead.ts';
import { addConfigOptions, type CommandContext, print, publisherConfig } from './context.ts';
import {
  checkOrderNames,
  endedError,
  type MigrateFlags,
  orderOf,
  outcomeOf,
  type Result,
  wait,
} from './migrate-order.ts';
import { afterInterrupt, carryOut } from './migrate-outcome.ts';
import { moveWhileWarming } from './migrate-while-warming.ts';
import { formatMs, formatShare } from './terminal/format.ts';

const notReadyStatus = 3;
const signalStatus = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

function parseDeadline(text: string): Date {
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined) return new Date(Date.now() + durationMs);
  const date = /^\d{4}-\d\d-\d\dT/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError('Give a duration such as 30s, or a time such as 2030-01-31T12:00:00Z.');
  }
  return date;
}

function parseBandwidth(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined || bytes === 0)
    throw new InvalidArgumentError('Give a size such as 8MiB, a second.');
  return bytes;
}

export function createCommand(context: CommandContext): Command {
  const command = new Command('migrate')
    .description(
      'Publishes the intent, waits until the target is warm or the deadline is there, then runs COMMAND if one ' +
        'is given and says arrived or aborted by its exit status, which is passed on. COMMAND runs in every case.',
    )
    .requiredOption('--vm <name>', 'the VM that moves')
    .requiredOption('--to <replica>', 'the replica that it will read, or `auto` for the best one')
    .option('--from <replica>', 'the replica that it reads now (default: its route)')
    .option(
      '--deadline <time>',
      'longest wait: a duration, or a time in ISO 8601',
      parseDeadline,
      parseDeadline('30s'),
    )
    .option(
      '--id <name>',
      'id of the migration; publishing one twice is one migration (default: a new one, or that of the warming for this target that is under way)',
    )
    .option('--concurrent', 'start COMMAND at once; --when-ready opens its gate')
    .option(
      '--when-ready <command>',
      'with --concurrent: run by the shell once, when the target is warm or the deadline is there, with FOREWARM_VM, FOREWARM_TARGET and FOREWARM_OUTCOME in its environment',
    )
    .option('--qmp <socket>', "move by QEMU's own QMP socket, without COMMAND")
    .option('--to-uri <uri>', 'with --qmp: where the destination listens, as tcp:HOST:PORT')
    .option(
      '--held-bandwidth <size>',
      'with --qmp: bytes a second until the target is warm',
      parseBandwidth,
      parseBandwidth('4MiB'),
    )
    .option(
      '--full-bandwidth <size>',
      "with --qmp: bytes a second from then on (default: QEMU's own before)",
      parseBandwidth,
    )
    .option('--json', "print the result as JSON (COMMAND's own output then goes to stderr)")
    .argument('[command...]', 'what to run afterwards, after --');
  addConfigOptions(command);
  command.addHelpText(
    'after',
    `
Exit status: 0 ready, 3 not ready by the deadline (go on), 1 error, 2 wrong usage; with COMMAND its own.

Examples:
  forewarm migrate --vm app1 --to db2
  forewarm migrate --vm app1 --to auto --deadline 10s
  forewarm migrate --vm app1 --to db2 -- virsh migrate --live app1 qemu+ssh://hv2/system
  forewarm migrate --vm app1 --to db2 --concurrent --when-ready 'virsh migrate-setspeed app1 1000' \\
    -- virsh migrate --live --bandwidth 5 app1 qemu+ssh://hv2/system
  forewarm migrate --vm app1 --to db2 --qmp /run/app1.qmp --to-uri tcp:hv2:4444`,
  );
  // The default is shown as what it is, not as the time that it became.
  const shown: Readonly<Record<string, string>> = { '--deadline': '30s', '--held-bandwidth': '4MiB' };
  for (const option of command.options) {
    const text = shown[option.long ?? ''];
    if (text !== undefined) option.defaultValueDescription = text;
  }
  command.action(async (argv: string[], flags: MigrateFlags) => {
    checkFlags(flags, argv);
    if (flags.concurrent === true || flags.qmp !== undefined) await moveWhileWarming(context, flags, argv);
    else await migrate(context, flags, argv);
  });
  return command;
}

function checkFlags(flags: MigrateFlags, argv: readonly string[]): void {
  const wrong = (message: string, hint: string) => new ForewarmError('config_invalid', message, { hint });
  if (flags.qmp !== undefined || flags.toUri !== undefined) {
    if (flags.qmp === undefined || flags.toUri === undefined) {
      throw wrong('--qmp and --to-uri belong together', 'Give both: --qmp SOCKET --to-uri tcp:HOST:PORT.');
    }
    if (argv.length > 0 || flags.concurrent || flags.whenReady !== undefined) {
      throw wrong('--qmp moves the VM itself', 'Leave out COMMAND, --concurrent and --when-ready.');
    }
  } else if (flags.concurrent === true && argv.length === 0) {
    throw wrong('--concurrent needs a COMMAND', 'Give it after --.');
  } else if (flags.whenReady !== undefined && flags.concurrent !== true) {
    throw wrong('--when-ready belongs to --concurrent', 'Add --concurrent, or leave it out.');
  }
}

async function migrate(context: CommandContext, flags: MigrateFlags, argv: readonly string[]): Promise<void> {
  const startMs = performance.now();
  const warn = (text: string) => context.err(`forewarm: ${text}\n`);
  const order = orderOf(flags);
  const { vm, deadline } = order;
  let ahead: WarmAhead | undefined;
  let waited: WaitResult | undefined;
  const interrupt = new AbortController();
  let interruptedBy: keyof typeof signalStatus | undefined;
  context.onSignal = (signal) => {
    if (interruptedBy !== undefined) return false;
    interruptedBy = signal as keyof typeof signalStatus;
    interrupt.abort();
    return true;
  };
  try {
    checkOrderNames(flags, order.id);
    ahead = new WarmAhead(order, publisherConfig(context, flags));
    waited = await wait(context, ahead, interrupt.signal);
  } catch (error) {
    if (interruptedBy === undefined && argv.length === 0) {
      await ahead?.close();
      throw error;
    }
    if (interruptedBy === undefined) warn(`${describeError(error).message}; going on without warming`);
  }
  try {
    if (interruptedBy !== undefined) {
      await afterInterrupt(context, ahead, warn);
      context.exitStatus = signalStatus[interruptedBy];
      return;
    }
    const waitedMs = Math.round(performance.now() - startMs);
    const id = ahead?.id ?? order.id;
    const outcome = outcomeOf(waited);
    if (argv.length === 0) {
      if (waited?.verdict.kind === 'ended') throw endedError(id, waited.verdict);
      const result: Result = {
        ...{ id, vm, target: ahead?.target, outcome, waitedMs },
        ...{ deadline: deadline.toISOString(), record: waited?.record },
      };
      print(context, flags, result, () => sentence(result));
      context.exitStatus = outcome === 'deadline' ? notReadyStatus : 0;
      return;
    }
    if (waited?.verdict.kind === 'ended') {
      warn(`${endedError(id, waited.verdict).message}; going on without warming`);
    } else if (outcome === 'deadline') {
      warn(`${ahead?.target} was not ready by the deadline${whyNot(waited?.record)}; going on`);
    }
    const status = await carryOut(context, { argv, ahead, json: flags.json === true, warn });
    context.exitStatus = status;
    if (flags.json === true) {
      const record = waited?.record;
      const result: Result = {
        ...{ id, vm, target: ahead?.target, outcome, waitedMs },
        ...{ deadline: deadline.toISOString(), record, command: { status } },
      };
      print(context, flags, result, () => '');
    }
  } finally {
    await ahead?.close();
  }
}

function skipped({ plan }: MigrationRecord): string {
  if (plan === undefined || plan.skippedBlocks === 0) return '';
  const blocks = plan.skippedBlocks.toLocaleString('en');
  return `, ${blocks} blocks left out${plan.skippedReason === undefined ? '' : `: ${plan.skippedReason}`}`;
}

function sentence({ id, vm, target, outcome, waitedMs, record }: Result): string {
  const residency =
    record?.residency === undefined
      ? ''
      : `, ${formatShare(record.residency)} of the plan resident${skipped(record)}`;
  const after = formatMs(waitedMs);
  if (outcome === 'ready')
    return `${target} is ready for ${vm} after ${after}${residency} (migration ${id})\n`;
  if (outcome === 'arrived') return `${vm} has arrived at ${target} already (migration ${id})\n`;
  return `${target} is not ready for ${vm} after ${after}${residency}${whyNot(record)}; go on, it keeps warming (migration ${id})\n`;
}

/** What the target waits for, where it has said so. */
function whyNot(record: MigrationRecord | undefined): string {
  return record?.reason === undefined ? '' : ` (${record.reason})`;
}
