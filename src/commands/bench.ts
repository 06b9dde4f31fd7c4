import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import * as mysql from '../bench/mysql.ts';
import { mysqlReport, mysqlResults, mysqlText } from '../bench/mysql-report.ts';
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
    name: 'mysql',
    measures: 'the same on MariaDB or MySQL; and warming into a full pool, and of a hot part of a table',
    needs: 'root for a limited disk, 8 GB of disk',
    takes: '9 min (--quick 3 min)',
  },
  {
    name: 'planning',
    measures: 'a work set of 128 GiB merged, encoded, decoded, planned',
    needs: '1 GB of memory',
    takes: '30 s',
  },
];

interface MoveFlags extends Flags {
  readonly quick?: boolean;
  readonly out: string;
  readonly seed: number;
  readonly repetitions: number;
}

interface PostgresFlags extends MoveFlags {
  readonly device: DiskProfile;
}

interface MysqlFlags extends MoveFlags {
  readonly engine: mysql.MysqlBenchOptions['engine'];
}

export function createCommand(context: CommandContext): Command {
  const bench = new Command('bench')
    .description('Runs a benchmark; without a name, lists them.')
    .action(() => context.out(listSuites()));
  moveCommand(bench, suites[0]!)
    .addOption(
      new Option('--device <profile>', "speed of the target's disk")
        .choices(['gp3', 'hdd', 'none'])
        .default('gp3'),
    )
    .action((flags: PostgresFlags) => benchPostgres(context, flags));
  moveCommand(bench, suites[1]!)
    .addOption(
      new Option('--engine <name>', 'database product of the servers')
        .choices(['mariadb', 'mysql'])
        .default('mariadb'),
    )
    .action((flags: MysqlFlags) => benchMysql(context, flags));
  bench
    .command('planning')
    .description(suites[2]!.measures)
    .option('--json', 'print the figures as JSON')
    .action(async (flags: Flags) => {
      const figures = await runPlanningBench();
      print(context, flags, figures, () => `${formatPlanningFigures(figures)}\n`);
    });
  return bench;
}

/** A benchmark that moves VMs between real servers. */
function moveCommand(bench: Command, { name, measures }: (typeof suites)[number]): Command {
  return bench
    .command(name)
    .description(measures)
    .option('--quick', 'one repetition on less data: to see that it works')
    .option('--repetitions <count>', 'how often each arm runs', wholeNumber, 3)
    .option('--seed <number>', "of the applications' reads", wholeNumber, 7)
    .option('--out <dir>', 'where results.json, report.html and the logs go', 'bench-results')
    .option('--json', 'print results.json on stdout too');
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
  const out = new OutFolder(flags.out);
  const bench = await runInLab(context, benchStages(options), (owned, onStage) =>
    runPostgresBench(options, { owned, onStage, onLogs: out.writeLogs }),
  );
  const results = postgresResults(bench);
  out.write(results, postgresReport(bench));
  print(context, flags, results, () => `\n${postgresText(bench, renderTable)}\nResults: ${out.path}\n`);
}

async function benchMysql(context: CommandContext, flags: MysqlFlags): Promise<void> {
  const options: mysql.MysqlBenchOptions = { ...flags, quick: flags.quick === true };
  const out = new OutFolder(flags.out);
  const bench = await runInLab(context, mysql.benchStages(options), (owned, onStage) =>
    mysql.runMysqlBench(options, { owned, onStage, onLogs: out.writeLogs }),
  );
  const results = mysqlResults(bench);
  out.write(results, mysqlReport(bench));
  print(context, flags, results, () => `\n${mysqlText(bench, renderTable)}\nResults: ${out.path}\n`);
}

/** Where a benchmark leaves what it found. */
class OutFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
    mkdirSync(this.path, { recursive: true });
  }

  readonly writeLogs = (logs: Readonly<Record<string, string>>): void => {
    for (const [name, log] of Object.entries(logs)) writeFileSync(join(this.path, `agent-${name}.log`), log);
  };

  write(results: object, report: string): void {
    writeFileSync(join(this.path, 'results.json'), `${JSON.stringify(results)}\n`);
    writeFileSync(join(this.path, 'report.html'), report);
  }
}
