import { Command, InvalidArgumentError, Option } from 'commander';
import { resultsOf, type Suite, type SuiteOptions } from '../bench/suite.ts';
import { suites } from '../bench/suites.ts';
import { suggest } from '../config/suggest.ts';
import type { Stage } from '../lab/experiment/site.ts';
import { describeError } from '../lib/errors.ts';
import { createCompareCommand } from './bench-compare.ts';
import { OutFolder } from './bench-out.ts';
import { PartialResults } from './bench-partial.ts';
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
    .argument('[suite...]')
    .usage('[options] [command]')
    // An unknown name is told before the options behind it.
    .passThroughOptions()
    .action(([name]: readonly string[], _: Flags, command: Command) => {
      if (name !== undefined) refuseName(command, name);
      context.out(listSuites());
    });
  for (const suite of suites) bench.addCommand(createSuiteCommand(context, suite));
  bench.addCommand(createCompareCommand(context));
  return bench;
}

export function createSuiteCommand(context: CommandContext, suite: Suite): Command {
  const command = new Command(suite.name)
    .description(`${suite.measures}. Takes ${suite.takes}. Needs ${suite.needs}.`)
    .option('--quick', 'one repetition on less data: to see that it works')
    .option('--repetitions <count>', 'how often each arm runs', wholeNumber, suite.repetitions)
    .option('--seed <number>', 'of everything that is drawn by lot', wholeNumber, 7)
    .option('--out <dir>', 'where results.json, report.html and the logs go', 'bench-results')
    .option('--json', 'print results.json on stdout too');
  const { engines, devices, live } = suite;
  if (live !== undefined) command.option('--live', live);
  if (engines !== undefined) command.addOption(choice('--engine <name>', 'database product', engines));
  if (devices !== undefined) command.addOption(choice('--device <profile>', "target's disk", devices));
  return command.action((flags: SuiteFlags) => runSuite(context, suite, flags));
}

function refuseName(command: Command, name: string): never {
  const meant = suggest(
    name,
    command.commands.map((one) => one.name()),
  );
  command.error(
    `error: there is no benchmark '${name}'.${meant === undefined ? '' : ` Did you mean '${meant}'?`}`,
  );
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
    ...(flags.live === true ? { live: true } : {}),
    repetitions: quick ? 1 : flags.repetitions,
  };
  const out = new OutFolder(flags.out);
  const partial = new PartialResults({ suite, options, out });
  // Before anything is taken down: a second signal ends the process.
  const onSignal = () => context.err(`\n${partial.write(`ended by ${context.signal.reason}`)}`);
  context.signal.addEventListener('abort', onSignal, { once: true });
  try {
    const outcome = await runInLab(context, suite.stages(options), async (owned, onStage) => {
      const onStageToo = (stage: Stage) => {
        partial.enter(stage.text);
        onStage(stage);
      };
      const { onPartial } = partial;
      return suite.run(options, { owned, onStage: onStageToo, onLogs: out.writeLogs, onPartial });
    });
    const results = resultsOf(suite, options, { outcome });
    const { withoutReport } = out.write(results, outcome);
    if (withoutReport !== undefined)
      context.err(`forewarm: the report could not be made: ${withoutReport}\n`);
    print(context, flags, results, () => `\n${outcome.text(renderTable)}\nResults: ${out.path}\n`);
  } catch (error) {
    if (!context.signal.aborted) context.err(`\n${partial.write(`failed: ${describeError(error).message}`)}`);
    throw error;
  } finally {
    context.signal.removeEventListener('abort', onSignal);
  }
}
