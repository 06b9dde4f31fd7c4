import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { resultsOf, type Suite, type SuiteOptions } from '../bench/suite.ts';
import { suites } from '../bench/suites.ts';
import { ForewarmError } from '../lib/errors.ts';
import { createCompareCommand } from './bench-compare.ts';
import { type CommandContext, type Flags, print } from './context.ts';
import { runInLab } from './lab-run.ts';
import { renderTable } from './terminal/table.ts';

interface SuiteFlags extends Flags, Omit<SuiteOptions, 'quick' | 'engine' | 'device'> {
  readonly quick?: boolean;
  readonly engine?: SuiteOptions['engine'];
  readonly device?: SuiteOptions['device'];
  readonly out: string;
}

export function createCommand(context: CommandContext): Command {
  const bench = new Command('bench')
    .description('Runs a benchmark; without a name, lists them.')
    .action(() => context.out(listSuites()));
  for (const suite of suites) bench.addCommand(suiteCommand(context, suite));
  bench.addCommand(createCompareCommand(context));
  return bench;
}

function suiteCommand(context: CommandContext, suite: Suite): Command {
  const command = new Command(suite.name)
    .description(`${suite.measures}. Takes ${suite.takes}. Needs ${suite.needs}.`)
    .option('--quick', 'one repetition on less data: to see that it works')
    .option('--repetitions <count>', 'how often each arm runs', wholeNumber, suite.repetitions)
    .option('--seed <number>', 'of everything that is drawn by lot', wholeNumber, 7)
    .option('--out <dir>', 'where results.json, report.html and the logs go', 'bench-results')
    .option('--json', 'print results.json on stdout too');
  const { engines, devices } = suite;
  if (engines !== undefined) command.addOption(choice('--engine <name>', 'database product', engines));
  if (devices !== undefined) command.addOption(choice('--device <profile>', "target's disk", devices));
  return command.action((flags: SuiteFlags) => runSuite(context, suite, flags));
}

function choice(flag: string, description: string, values: readonly string[]): Option {
  return new Option(flag, description).choices([...values]).default(values[0]);
}

function listSuites(): string {
  const columns = (['name', 'takes', 'needs', 'measures'] as const).map((key) => ({
    title: key,
    value: (suite: Suite) => suite[key],
  }));
  return `${renderTable(columns, suites)}\nRun one with \`npm run bench -- NAME\`; its options with \`npm run bench -- NAME --help\`. Two results are compared by \`npm run bench -- compare OLD.json NEW.json\`.\n`;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1) throw new InvalidArgumentError('Give a whole number from 1.');
  return value;
}

async function runSuite(context: CommandContext, suite: Suite, flags: SuiteFlags): Promise<void> {
  const { seed, engine = 'postgres', device = 'none', quick = false } = flags;
  const options: SuiteOptions = {
    ...{ seed, engine, device, quick },
    repetitions: quick ? 1 : flags.repetitions,
  };
  const out = new OutFolder(flags.out);
  const outcome = await runInLab(context, suite.stages(options), (owned, onStage) =>
    suite.run(options, { owned, onStage, onLogs: out.writeLogs }),
  );
  const results = resultsOf(suite, options, outcome);
  out.write(results, outcome.report());
  print(context, flags, results, () => `\n${outcome.text(renderTable)}\nResults: ${out.path}\n`);
}

/** Where a benchmark leaves what it found. */
class OutFolder {
  readonly path: string;

  /** Made at once: a place that cannot be written is told before hours of work. */
  constructor(path: string) {
    this.path = resolve(path);
    try {
      mkdirSync(this.path, { recursive: true });
    } catch (error) {
      throw new ForewarmError(
        'config_invalid',
        `${this.path} could not be made: ${(error as Error).message}`,
        {
          hint: 'Choose another place with --out DIR.',
          cause: error,
        },
      );
    }
  }

  readonly writeLogs = (logs: Readonly<Record<string, string>>): void => {
    for (const [name, log] of Object.entries(logs)) writeFileSync(join(this.path, `agent-${name}.log`), log);
  };

  write(results: object, report: string): void {
    writeFileSync(join(this.path, 'results.json'), `${JSON.stringify(results)}\n`);
    writeFileSync(join(this.path, 'report.html'), report);
  }
}
