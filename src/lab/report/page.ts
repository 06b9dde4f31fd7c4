import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { type Chart, chartsScript } from './charts.ts';
import { escapeMarkup } from './format.ts';
import { reportStyle } from './style.ts';

export interface Page {
  readonly title: string;
  /** HTML below the title; `chartElement` of each chart stands in it. */
  readonly body: string;
  readonly charts: readonly Chart[];
}

/** One HTML file that needs nothing else: chart library, data and style are in it. */
export function renderPage({ title, body, charts }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(title)}</title>
<style>
${uplotFile('uPlot.min.css')}
${reportStyle}
</style>
</head>
<body>
<main>
<h1>${escapeMarkup(title)}</h1>
${body}
</main>
<script>${uplotFile('uPlot.iife.min.js')}</script>
<script>${chartsScript(charts)}</script>
</body>
</html>
`;
}

/** The page with a sentence below its title that a reader must not miss. */
export function withNotice(page: string, notice: string): string {
  return page.replace('</h1>', () => `</h1>\n<p class="note"><b>${escapeMarkup(notice)}</b></p>`);
}

/** Names and values, and on which machine and when the page was made. */
export function settingsTable(rows: Readonly<Record<string, string | number>>): string {
  const all = {
    ...rows,
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, Node ${process.versions.node}`,
    made: new Date().toISOString(),
  };
  return `<table class="settings"><tbody>${Object.entries(all)
    .map(
      ([name, value]) =>
        `<tr><th scope="row">${escapeMarkup(name)}</th><td>${escapeMarkup(String(value))}</td></tr>`,
    )
    .join('')}</tbody></table>`;
}

/** uPlot's file as text for a style or script element; it is a development dependency, beside the lab itself. */
function uplotFile(name: string): string {
  const path = createRequire(import.meta.url).resolve(`uplot/dist/${name}`);
  return readFileSync(path, 'utf8').replaceAll('</', '<\\/');
}
