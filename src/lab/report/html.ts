import type { ArmName } from '../experiment/result.ts';
import { type Experiment, lastMigration } from '../experiment/run-experiment.ts';
import { armLooks, figureColumns, type Timeline, timelineOf } from './arms.ts';
import { type Chart, chartElement } from './charts.ts';
import { escapeMarkup, formatCount, formatMegabytes, formatPercent } from './format.ts';
import { renderHeatMaps } from './heat-maps.ts';
import { renderPage, settingsTable } from './page.ts';
import { describeSetting } from './picture.ts';

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
  const charts = chartsOf(experiment);
  return renderPage({ title: options.title, body: bodyOf(experiment, options, charts), charts });
}

/** Throughput and slowest reads of the arms around the switch. */
function chartsOf(experiment: Experiment): readonly [Chart, Chart] {
  const forewarm = experiment.runs.findLast(({ figures }) => figures.name === 'forewarm');
  const intentS = (forewarm?.marks.find(({ name }) => name === 'intent')?.atMs ?? -3_000) / 1000;
  const span = { fromS: Math.max(-12, Math.floor(intentS - 1)), toS: 10, binS: 0.2 };
  const { atS, tps, p99Ms } = timelineOf(experiment.runs, span);
  const x = { title: 's from the switch', unit: ' s', values: atS };
  const marks = [
    ...(forewarm?.marks ?? []).map(({ name, atMs }) => ({
      ...{ title: name, at: atMs / 1000, color: armLooks.forewarm.color },
    })),
    { title: 'switch', at: 0 },
  ];
  const series = (of: Timeline['tps']) =>
    armNames.map((name) => ({
      ...{ title: armLooks[name].title, color: armLooks[name].color, values: of[name] ?? [] },
      ...{ dashed: name === 'warm', strong: name === 'forewarm' },
    }));
  return [
    { id: 'throughput', x, y: { unit: '/s' }, series: series(tps), marks },
    { id: 'latency', x, y: { unit: ' ms', logarithmic: true }, series: series(p99Ms), marks },
  ];
}

function bodyOf(
  experiment: Experiment,
  options: ReportOptions,
  [throughput, latency]: readonly [Chart, Chart],
): string {
  const migration = lastMigration(experiment.runs);
  return `<p class="lead">The VM <b>app1</b> moves to another host, and from then on reads from another replica of its database.
That replica holds the same data, but none of app1's cache. Three times the same move under the same load:
${armNames.map((name) => `<b style="color:${armLooks[name].color}">${armLooks[name].title}</b> (${armLooks[name].explained})`).join(', ')}.</p>
${experiment.device.throttled ? '' : `<p class="note"><b>The disk is not limited on this machine</b>${experiment.device.reason === undefined ? '' : ` (${escapeMarkup(experiment.device.reason)})`}: a fast local disk hides most of what a cold cache costs on a common cloud volume.</p>`}
<section class="tiles">${tiles(experiment)}</section>
<h2>Throughput around the switch</h2>
<p class="quiet">Reads a second of app1. 0 is the moment at which its connections to the new replica take over.</p>
${chartElement(throughput)}
<h2>Slowest reads around the switch</h2>
<p class="quiet">99th percentile of the time that a read takes, in milliseconds; each line up is ten times as slow.</p>
${chartElement(latency)}
<h2>Figures</h2>
${figureTable(experiment)}
<p class="quiet">“Ready after” is the time from the published intent until the replica is warm; “floor” is the work set's bytes divided by the disk's bandwidth${floorLimit(experiment)}: no warming can be faster.</p>
${(options.sections ?? []).join('\n')}
<h2>The work set before and after</h2>
<p>What each server's buffer pool holds, relation by relation. ${escapeMarkup(experiment.database.heat.explained)}</p>
${migration === undefined ? '<p>There was no migration.</p>' : renderHeatMaps(migration, experiment.database.heat)}
<h2>Device and settings</h2>
${settingsTable({ ...settingsOf(experiment), ...options.settings })}`;
}

/** What keeps the database from using the whole bandwidth. */
function floorLimit({ database: { title, maxReadBytes }, device }: Experiment): string {
  if (maxReadBytes === undefined || !device.throttled) return '';
  return `, as far as ${escapeMarkup(title)} can use it with reads of ${formatCount(maxReadBytes / 1024)} KiB each`;
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

/** What every report says of how it was measured. */
function settingsOf(experiment: Experiment): Record<string, string> {
  const { document, device } = experiment;
  return {
    setting: describeSetting(experiment),
    'disk profile': `${document.device.profile}, ${device.throttled ? `limited by control group on device ${device.id}` : `not limited: ${device.reason ?? 'unknown'}`}`,
    'work set': `${formatCount(document.workSet.blocks)} blocks, ${formatMegabytes(document.workSet.bytes)}`,
  };
}
