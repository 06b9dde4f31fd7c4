import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { EngineKind } from '../engines/engine.ts';
import { type DemoSettings, demoSettings } from '../lab/demo/settings.ts';
import { databaseKinds } from '../lab/experiment/databases.ts';
import type { ArmFigures } from '../lab/experiment/result.ts';
import { type Experiment, runExperiment, stagesOf } from '../lab/experiment/run-experiment.ts';
import { figureColumns } from '../lab/report/arms.ts';
import { renderReport } from '../lab/report/html.ts';
import { describeSetting, renderPicture } from '../lab/report/picture.ts';
import { ForewarmError } from '../lib/errors.ts';
import { type CommandContext, type Flags, print } from './context.ts';
import { runInLab } from './lab-run.ts';
import { renderTable } from './terminal/table.ts';

interface DemoFlags extends Flags {
  readonly engine: EngineKind;
  readonly out: string;
  readonly picture?: string;
}

export function createCommand(context: CommandContext): Command {
  return new Command('demo')
    .description(
      'Starts NATS, a primary, two replicas, their agents and three application VMs on this machine, and moves ' +
        'one VM to the other replica three times: cold, with Forewarm, and to a replica that was always warm. ' +
        'Takes about two minutes and 2 GB of disk; everything is gone at the end.',
    )
    .addOption(
      new Option('--engine <name>', 'database product of the servers')
        .choices(Object.keys(demoSettings))
        .default('postgres'),
    )
    .option('--out <file>', 'where the report is written', 'demo-report.html')
    .option('--picture <file>', 'write the main plot as an SVG file too')
    .option('--json', 'print the figures as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  npm run demo\n  npm run demo -- --engine mariadb\n  npm run --silent demo -- --json > demo.json',
    )
    .action((flags: DemoFlags) => demo(context, flags));
}

async function demo(context: CommandContext, flags: DemoFlags): Promise<void> {
  const settings = demoSettings[flags.engine];
  const experiment = await runInLab(context, stagesOf(settings), (owned, onStage) =>
    runExperiment({ ...settings, owned, onStage }),
  );
  const report = renderReport(experiment, {
    title: 'What a moving VM feels at its database',
    settings: describeSettings(settings),
  });
  write(flags.out, report);
  if (flags.picture !== undefined) write(flags.picture, renderPicture(experiment));
  print(context, flags, experiment.document, () => renderResult(experiment, resolve(flags.out)));
}

/** What the demo was run with, for its report. */
function describeSettings(settings: DemoSettings): Record<string, string | number> {
  const { engine, poolMb, tableMb, neighbourTableMb, seed, clientCount, hotShare, hotPlace, pace } = settings;
  const database = databaseKinds[engine];
  const share = `${hotShare * 100} % of the table`;
  const place =
    hotShare === 1
      ? 'the whole table'
      : { scattered: share, newest: `the newest ${share}`, middle: `${share} in the middle` }[hotPlace];
  return {
    servers: `a primary and two physical replicas, ${database.describePool(poolMb)} each`,
    data: `app1's table ${tableMb} MB, those of app2 and app3 ${neighbourTableMb} MB each, primary keys ${database.keyIncluded ? 'included' : 'besides'}`,
    'load of app1': `${clientCount} connections, ${pace.before} reads a second wanted, each of 20 rows by key range, over ${place}, some ranges hotter than others (Zipf 0.7), seed ${seed}`,
    'load of others': 'app2 at the source and app3 at the target, 200 reads a second each',
  };
}

function renderResult(experiment: Experiment, report: string): string {
  const { device, document } = experiment;
  const columns = figureColumns.map(({ title, value }, i) => ({
    title,
    right: i > 0,
    value: (figures: ArmFigures) => value(figures),
  }));
  const limited = device.throttled
    ? ''
    : `The disk could not be limited to the ${document.device.profile} profile (${device.reason ?? 'unknown'}): this machine's own hides most of what a cold cache costs.\n`;
  return `\n${renderTable(columns, document.arms)}\n${describeSetting(experiment)}.\n${limited}Report: ${report}\n`;
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new ForewarmError('config_invalid', `${path} could not be written: ${(error as Error).message}`, {
      hint: 'Choose another place with --out FILE, or --picture FILE for the picture.',
      cause: error,
    });
  }
}
