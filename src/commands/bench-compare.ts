import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { type ComparedFigure, compareResults } from '../bench/compare.ts';
import { type ComparableResults, parseResults } from '../bench/read-results.ts';
import type { Column } from '../bench/tables.ts';
import { ForewarmError } from '../lib/errors.ts';
import { type CommandContext, type Flags, print } from './context.ts';
import { renderTable } from './terminal/table.ts';

const columns: readonly Column<ComparedFigure>[] = [
  { title: 'of', value: ({ of }) => of },
  { title: 'figure', value: ({ name }) => name },
  { title: 'old', right: true, value: ({ old }) => show(old) },
  { title: 'new', right: true, value: (figure) => show(figure.new) },
  { title: 'unit', value: ({ unit }) => unit },
  { title: 'new ÷ old', right: true, value: ({ ratio }) => show(ratio) },
  {
    title: '95 %',
    right: true,
    value: ({ between }) => (between === null ? '–' : `${show(between[0])} to ${show(between[1])}`),
  },
  { title: 'samples', right: true, value: ({ samples }) => samples.join(', ') },
  { title: '', value: ({ verdict }) => (verdict === 'worse' ? 'WORSE' : verdict) },
];

export function createCompareCommand(context: CommandContext): Command {
  return new Command('compare')
    .description(
      'Prints each figure of two runs of one benchmark, new by old, with the interval of the ratio.',
    )
    .argument('<old>', 'results.json of the old run, or its folder')
    .argument('<new>', 'results.json of the new run, or its folder')
    .option('--json', 'print the comparison as JSON')
    .action((oldFile: string, newFile: string, flags: Flags) => {
      const [old, fresh] = [readResults(oldFile), readResults(newFile)];
      const figures = compareResults(old, fresh);
      print(context, flags, { suite: old.suite, figures }, () =>
        [
          `${old.suite}: ${describe(old)} against ${describe(fresh)}\n`,
          renderTable(columns, figures),
          'The interval is of a bootstrap over the samples; with few of them it is rough, with one there is none.\n',
        ].join('\n'),
      );
    });
}

/** A folder stands for the results.json in it. */
function readResults(path: string): ComparableResults {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const file = isFolder ? join(path, 'results.json') : path;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ForewarmError('config_invalid', `${file} cannot be read: ${(cause as Error).message}`, {
      ...{ hint: 'Give the results.json of a benchmark, or the folder of its --out.', cause },
    });
  }
  return parseResults(text, file);
}

function describe({ at, versions }: ComparableResults): string {
  return `${at} (Forewarm ${versions['forewarm'] ?? 'unknown'})`;
}

function show(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value === 0 || Number.isInteger(value)) return value.toLocaleString('en-US');
  return Math.abs(value) >= 1_000
    ? Math.round(value).toLocaleString('en-US')
    : Number(value.toPrecision(3)).toString();
}
