import { Command } from 'commander';
import { ForewarmError } from '../lib/errors.ts';
import type { Estimate } from '../messages/requests.ts';
import { askEstimates } from '../publisher/estimates.ts';
import {
  addConfigOptions,
  type CommandContext,
  checkName,
  type Flags,
  print,
  withBroker,
} from './context.ts';
import { formatBytes, formatMaybe, formatMs, formatShare } from './terminal/format.ts';
import { renderTable } from './terminal/table.ts';

interface EstimateFlags extends Flags {
  readonly vm: string;
  readonly from?: string;
}

export function createCommand(context: CommandContext): Command {
  const command = new Command('estimate')
    .description('Asks every replica but the source how well it could take a VM; the best comes first.')
    .requiredOption('--vm <name>', 'the VM')
    .option('--from <replica>', 'the replica that it reads now (default: its route)')
    .option('--json', 'print the result as JSON');
  addConfigOptions(command);
  command.addHelpText(
    'after',
    '\nExit status: 0 a replica can take it, 1 none can.\n\nExamples:\n  forewarm estimate --vm app1\n  forewarm estimate --vm app1 --from db1 --json',
  );
  command.action((flags: EstimateFlags) => estimate(context, flags));
  return command;
}

async function estimate(context: CommandContext, flags: EstimateFlags): Promise<void> {
  const vm = checkName('--vm', flags.vm);
  const from = flags.from === undefined ? undefined : checkName('--from', flags.from);
  await withBroker({ context, flags, name: 'estimate' }, async (broker, config) => {
    const found = await askEstimates(broker, { vm, source: from, timeoutMs: config.nats.timeoutMs });
    const { estimates, failures, source } = found;
    if (estimates.length === 0) {
      const reasons = failures.map(({ replica, message }) => `${replica}: ${message}`).join('; ');
      const one = failures[0]!;
      const code = failures.every((failure) => failure.code === one.code) ? one.code : 'replica_unknown';
      throw new ForewarmError(code, `no replica could estimate ${vm}: ${reasons}`, {
        hint: 'Give the source with --from, and see `forewarm status`.',
      });
    }
    if (estimates.every((one) => one.reason !== undefined)) context.exitStatus = 1;
    print(context, flags, { vm, source, estimates, failures }, () => {
      const missing = failures.map(({ replica, message }) => `${replica} gave no estimate: ${message}\n`);
      return renderEstimates(estimates) + missing.join('');
    });
  });
}

function fits({ fits, workSetBytes, skippedBytes }: Estimate): string {
  if (fits) return 'yes';
  return workSetBytes === 0 ? '–' : `no, ${formatBytes(skippedBytes)} too much`;
}

export function renderEstimates(estimates: readonly Estimate[]): string {
  return renderTable(
    [
      { title: 'REPLICA', value: (row) => row.replica },
      {
        title: 'RESIDENT',
        right: true,
        value: (row) =>
          formatShare(row.workSetBytes === 0 ? undefined : row.residentBytes / row.workSetBytes),
      },
      { title: 'WORK SET', right: true, value: (row) => formatBytes(row.workSetBytes) },
      { title: 'TO READ', right: true, value: (row) => formatBytes(row.toReadBytes) },
      { title: 'TIME', right: true, value: (row) => formatMs(row.seconds * 1_000) },
      { title: 'LAG', right: true, value: (row) => formatMaybe(row.lagMs, formatMs) },
      { title: 'FITS', value: (row) => fits(row) },
      { title: 'AGAINST', value: (row) => row.reason ?? '' },
    ],
    estimates,
  );
}
