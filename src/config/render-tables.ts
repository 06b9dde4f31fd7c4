import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { errorCodes } from '../lib/errors.ts';
import { agentMetrics } from '../metrics/agent-metrics.ts';
import type { Declaration } from '../metrics/declaration.ts';
import { poolMetrics } from '../metrics/pool-metrics.ts';
import { type FlatOption, flatten, type OptionTree } from './option.ts';
import { agentOptions, hookOptions, publisherOptions, routeWatchOptions } from './options.ts';

const cell = (text: string) => text.replaceAll('|', '\\|');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function defaultOf({ option }: FlatOption): string {
  if (option.required) return 'must be given';
  return option.default === undefined ? '–' : `\`${JSON.stringify(option.default).replaceAll('"', '')}\``;
}

/** The options of all commands as Markdown. */
export function renderOptions(): string {
  const uses: readonly (readonly [string, OptionTree])[] = [
    ['agent', agentOptions],
    ['commands', publisherOptions],
    ['hook', hookOptions],
    ['route watch', routeWatchOptions],
  ];
  const rows = new Map<string, { readonly flat: FlatOption; readonly users: string[] }>();
  for (const [user, tree] of uses) {
    for (const flat of flatten(tree)) {
      const row = rows.get(flat.path) ?? { flat, users: [] };
      row.users.push(user);
      rows.set(flat.path, row);
    }
  }
  return table(
    ['Option', 'Environment', 'Type', 'Default', 'Read by', 'Meaning'],
    [...rows.values()].map(({ flat, users }) => [
      `\`${flat.path}\``,
      `\`${flat.env}\``,
      `${flat.option.type.label}${flat.option.secret ? ', secret' : ''}`,
      defaultOf(flat),
      users.length === uses.length ? 'all' : users.join(', '),
      flat.option.description,
    ]),
  );
}

/** The error codes as Markdown. */
export function renderErrors(): string {
  const rows = Object.entries(errorCodes).map(([code, meaning]) => [`\`${code}\``, meaning]);
  return table(['Code', 'Meaning and remedy'], rows);
}

/** The metrics of agents and pools as Markdown. */
export function renderMetrics(): string {
  const all: readonly Declaration[] = [...Object.values(agentMetrics), ...Object.values(poolMetrics)];
  const rows = all.map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', ') || '–',
    help,
  ]);
  return table(['Metric', 'Type', 'Labels', 'Meaning'], rows);
}

/** A Markdown text with its tables renewed; a text without a pair of markers throws. */
export function renewTables(markdown: string): string {
  const between = (text: string, marker: string, content: string) => {
    const pattern = new RegExp(`(<!-- ${marker} -->)[\\s\\S]*?(<!-- /${marker} -->)`);
    if (!pattern.test(text))
      throw new Error(`the markers <!-- ${marker} --> <!-- /${marker} --> are missing`);
    return text.replace(pattern, (_, open: string, close: string) => `${open}\n${content}\n${close}`);
  };
  const tables = { options: renderOptions(), errors: renderErrors(), metrics: renderMetrics() };
  return Object.entries(tables).reduce((text, [marker, content]) => between(text, marker, content), markdown);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , verb, file] = process.argv;
  if (verb === '--write' && file !== undefined) {
    writeFileSync(file, renewTables(readFileSync(file, 'utf8')));
  } else {
    process.stdout.write(`${renderOptions()}\n\n${renderErrors()}\n\n${renderMetrics()}\n`);
  }
}
