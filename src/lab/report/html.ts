import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import type { ArmName } from '../experiment/result.ts';
import { type Experiment, lastMigration } from '../experiment/run-experiment.ts';
import { armLooks, figureColumns, timelineOf } from './arms.ts';
import { chartScript } from './chart-script.ts';
import { escapeMarkup, formatCount, formatMegabytes, formatPercent } from './format.ts';
import { renderHeatMaps } from './heat-maps.ts';
import { describeSetting } from './picture.ts';
import { reportStyle } from './style.ts';

export interface ReportOptions {
  readonly title: string;
  /** Rows of the last section, by name. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** Sections of the caller's own, as HTML, after the table. */
  readonly sections?: readonly string[];
}

const armNames: readonly ArmName[] = ['cold', 'forewarm', 'warm'];

/** One file that needs nothing else: chart library, data and style are in it. */
export function renderReport(experiment: Experiment, options: ReportOptions): string {
  const migration = lastMigration(experiment.runs);
  const forewarm = experiment.runs.findLast(({ figures }) => figures.name === 'forewarm');
  const intentS = (forewarm?.marks.find(({ name }) => name === 'intent')?.atMs ?? -3_000) / 1000;
  const data = {
    ...timelineOf(experiment.runs, { fromS: Math.max(-12, Math.floor(intentS - 1)), toS: 10, binS: 0.2 }),
    marks: (forewarm?.marks ?? []).map(({ name, atMs }) => ({ name, atS: atMs / 1000 })),
    arms: armNames.map((name) => ({ name, title: armLooks[name].title, color: armLooks[name].color })),
  };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(options.title)}</title>
<style>
${uplotFile('uPlot.min.css')}
${reportStyle}
</style>
</head>
<body>
<main>
<h1>${escapeMarkup(options.title)}</h1>
<p class="lead">The VM <b>app1</b> moves to another host, and from then on reads from another replica of its database.
That replica holds the same data, but none of app1's cache. Three times the same move under the same load:
${armNames.map((name) => `<b style="color:${armLooks[name].color}">${armLooks[name].title}</b> (${armLooks[name].explained})`).join(', ')}.</p>
${experiment.device.throttled ? '' : `<p class="note"><b>The disk is not limited on this machine</b>${experiment.device.reason === undefined ? '' : ` (${escapeMarkup(experiment.device.reason)})`}: a fast local disk hides most of what a cold cache costs on a common cloud volume.</p>`}
<section class="tiles">${tiles(experiment)}</section>
<h2>Throughput around the switch</h2>
<p class="quiet">Reads a second of app1. 0 is the moment at which its connections to the new replica take over.</p>
<div id="throughput" class="chart"></div>
<h2>Slowest reads around the switch</h2>
<p class="quiet">99th percentile of the time that a read takes, in milliseconds; each line up is ten times as slow.</p>
<div id="latency" class="chart"></div>
<h2>Figures</h2>
${figureTable(experiment)}
<p class="quiet">“Ready after” is the time from the published intent until the replica is warm; “floor” is the work set's bytes divided by the disk's bandwidth${floorLimit(experiment)}: no warming can be faster.</p>
${(options.sections ?? []).join('\n')}
<h2>The work set before and after</h2>
<p>What each server's buffer pool holds, relation by relation. ${escapeMarkup(experiment.database.heat.explained)}</p>
${migration === undefined ? '<p>There was no migration.</p>' : renderHeatMaps(migration, experiment.database.heat)}
<h2>Device and settings</h2>
${settingsTable(experiment, options.settings)}
</main>
<script>${uplotFile('uPlot.iife.min.js')}</script>
<script>const data = ${JSON.stringify(data).replaceAll('<', '\\u003c')};
${chartScript}</script>
</body>
</html>
`;
}

/** What keeps the database from using the whole bandwidth. */
function floorLimit({ database: { title, maxReadBytes }, device }: Experiment): string {
  if (maxReadBytes === undefined || !device.throttled) return '';
  return `, as far as ${escapeMarkup(title)} can use it with reads of ${formatCount(maxReadBytes / 1024)} KiB each`;
}

/** uPlot's file as text for a style or script element; it is a development dependency, beside the lab itself. */
function uplotFile(name: string): string {
  const path = createRequire(import.meta.url).resolve(`uplot/dist/${name}`);
  return readFileSync(path, 'utf8').replaceAll('</', '<\\/');
}

function tiles({ document }: Experiment): string {
  const warm = document.arms.find(({ name }) => name === 'warm')?.first1s.tps ?? 0;
  return armNames
    .map((name) => {
      const arm = document.arms.find((one) => one.name === name);
      if (arm === undefined) return '';
      const share =
        name === 'warm' || warm === 0 ? '' : ` · ${formatPercent(arm.first1s.tps / warm)} of always warm`;
      return `<div style="border-color:${armLooks[name].color}"><span>${armLooks[name].title}</span><b>${formatCount(arm.first1s.tps)}/s</b><span class="quiet">in the first second${share}</span><span class="quiet">${formatMegabytes(arm.readAfterBytes)} read from disk in the first ten</span></div>`;
    })
    .join('');
}

function figureTable({ document }: Experiment): string {
  const head = figureColumns.map(({ title }) => `<th>${escapeMarkup(title)}</th>`).join('');
  const rows = document.arms.map(
    (arm) =>
      `<tr>${figureColumns.map(({ value }, i) => `<td${i === 0 ? ` style="color:${armLooks[arm.name].color};font-weight:600"` : ' class="n"'}>${escapeMarkup(value(arm))}</td>`).join('')}</tr>`,
  );
  return `<div class="wide"><table class="figures"><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function settingsTable(experiment: Experiment, settings: ReportOptions['settings']): string {
  const { document, device } = experiment;
  const rows: Record<string, string | number> = {
    setting: describeSetting(experiment),
    'disk profile': `${document.device.profile}, ${device.throttled ? `limited by control group on device ${device.id}` : `not limited: ${device.reason ?? 'unknown'}`}`,
    'work set': `${formatCount(document.workSet.blocks)} blocks, ${formatMegabytes(document.workSet.bytes)}`,
    ...settings,
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, Node ${process.versions.node}`,
    made: new Date().toISOString(),
  };
  return `<table class="settings"><tbody>${Object.entries(rows)
    .map(
      ([name, value]) =>
        `<tr><th scope="row">${escapeMarkup(name)}</th><td>${escapeMarkup(String(value))}</td></tr>`,
    )
    .join('')}</tbody></table>`;
}
