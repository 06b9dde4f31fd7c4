import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { formatPlanningFigures, runPlanningBench } from '../bench/planning.ts';
import { benchStages, type PostgresBenchOptions, runPostgresBench } from '../bench/postgres.ts';
import { postgresReport, postgresResults, postgresText } from '../bench/postgres-report.ts';
import type { DiskProfile } from '../lab/disk-profiles.ts';
import { type CommandContext, type Flags, print } from './context.ts';
import { runInLab } from './lab-run.ts';
import { renderTable } from './terminal/table.ts';

const suites = [
  {
    name: 'postgres',
    measures:
      'moves a VM between real replicas: cold, with Forewarm, always warm; and what it costs the source',
    needs: 'root for a limited disk, 6 GB of disk',
    takes: '6 min (--quick 2 min)',
  },
  {
    name: 'planning',
    measures: 'a work set of 128 GiB merged, encoded, decoded, planned',
    needs: '1 GB of memory',
    takes: '30 s',
  },
];

interface PostgresFlags extends Flags {
  readonly device: DiskProfile;
  readonly quick?: boolean;
  readonly out: string;
  readonly seed: number;
  readonly repetitions: number;
}

export function createCommand(context: CommandContext): Command {
  const bench = new Command('bench')
    .description('Runs a benchmark; without a name, lists them.')
    .action(() => context.out(listSuites()));
  bench
    .command('postgres')
    .description(suites[0]!.measures)
    .addOption(
      new Option('--device <profile>', "speed of the target's disk")
        .choices(['gp3', 'hdd', 'none'])
        .default('gp3'),
    )
    .option('--quick', 'one repetition on less data: to see that it works')
    .option('--repetitions <count>', 'how often each arm runs', wholeNumber, 3)
    .option('--seed <number>', "of the applications' reads", wholeNumber, 7)
    .option('--out <dir>', 'where results.json, report.html and the logs go', 'bench-results')
    .option('--json', 'print results.json on stdout too')
    .action((flags: PostgresFlags) => benchPostgres(context, flags));
  bench
    .command('planning')
    .description(suites[1]!.measures)
    .option('--json', 'print the figures as JSON')
    .action(async (flags: Flags) => {
      const figures = await runPlanningBench();
      print(context, flags, figures, () => `${formatPlanningFigures(figures)}\n`);
    });
  return bench;
}

function listSuites(): string {
  const columns = (['name', 'takes', 'needs', 'measures'] as const).map((key) => ({
    title: key,
    value: (suite: (typeof suites)[number]) => suite[key],
  }));
  return `${renderTable(columns, suites)}\nRun one with \`npm run bench -- NAME\`; its options with \`npm run bench -- NAME --help\`.\n`;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1) throw new InvalidArgumentError('Give a whole number from 1.');
  return value;
}

async function benchPostgres(context: CommandContext, flags: PostgresFlags): Promise<void> {
  const options: PostgresBenchOptions = { ...flags, quick: flags.quick === true };
  const dir = resolve(flags.out);
  mkdirSync(dir, { recursive: true });
  const bench = await runInLab(context, benchStages(options), (owned, onStage) =>
    runPostgresBench(options, {
      owned,
      onStage,
      onLogs: (logs) => {
        for (const [name, log] of Object.entries(logs)) writeFileSync(join(dir, `agent-${name}.log`), log);
      },
    }),
  );
  const results = postgresResults(bench);
  writeFileSync(join(dir, 'results.json'), `${JSON.stringify(results)}\n`);
  writeFileSync(join(dir, 'report.html'), postgresReport(bench));
  print(context, flags, results, () => `\n${postgresText(bench, renderTable)}\nResults: ${dir}\n`);
}
