import { databaseKinds } from '../../lab/experiment/databases.ts';
import { timelineOf } from '../../lab/report/arms.ts';
import { type Chart, chartElement } from '../../lab/report/charts.ts';
import {
  escapeMarkup,
  formatCount,
  formatLatency,
  formatMegabytes,
  formatPercent,
  formatSeconds,
} from '../../lab/report/format.ts';
import { renderPage, settingsTable } from '../../lab/report/page.ts';
import { driftBounds } from '../drift.ts';
import { describeStolen } from '../run-figures.ts';
import { type Column, htmlTable, type RenderTable } from '../tables.ts';
import type { RivalRun, RivalsBench } from './rivals.ts';
import {
  middle,
  recoveredShare,
  recoveryMs,
  shareOfControl,
  summarize,
  tpsOf,
  type WaySummary,
} from './summary.ts';

const none = '–';

function shown(
  { runs }: WaySummary,
  of: (run: RivalRun) => number | undefined,
  format: (value: number) => string,
): string {
  const value = middle(runs.map(of));
  return value === undefined || Number.isNaN(value) ? none : format(value);
}

const titleOf = ({ way, runs, refused }: WaySummary) =>
  runs.length === 0
    ? `${way.title} (not compared)`
    : refused === 0
      ? way.title
      : `${way.title} (${runs.length} of ${runs.length + refused})`;

const warming: readonly Column<WaySummary>[] = [
  { title: 'way', value: titleOf },
  { title: 'ready after', right: true, value: (s) => shown(s, (run) => run.readyMs, formatSeconds) },
  { title: 'read', right: true, value: (s) => shown(s, (run) => run.bytesRead, formatMegabytes) },
  { title: 'operations', right: true, value: (s) => shown(s, (run) => run.operationsRead, formatCount) },
  { title: 'precision', right: true, value: (s) => shown(s, (run) => run.worth.precision, formatPercent) },
  { title: 'recall', right: true, value: (s) => shown(s, (run) => run.worth.recall, formatPercent) },
];

/** What the VM felt within one window. */
function windowColumns(bench: RivalsBench, window: number): readonly Column<WaySummary>[] {
  const stretch = (run: RivalRun) => run.stretches[window];
  return [
    {
      title: `${(bench.settings.windowsMs[window] ?? 0) / 1000} s: reads/s`,
      right: true,
      value: (s) =>
        shown(s, (run) => (stretch(run) === undefined ? undefined : tpsOf(stretch(run)!)), formatCount),
    },
    {
      title: 'of control',
      right: true,
      value: (s) => shown(s, (run) => shareOfControl(bench, run, window), formatPercent),
    },
    ...(['p50Ms', 'p95Ms', 'p99Ms'] as const).map((key) => ({
      title: key.slice(0, -2),
      right: true,
      value: (s: WaySummary) => shown(s, (run) => stretch(run)?.[key], formatLatency),
    })),
  ];
}

function afterwards(bench: RivalsBench): readonly Column<WaySummary>[] {
  return [
    {
      title: 'read after',
      right: true,
      value: (s) => shown(s, (run) => run.readAfterBytes, formatMegabytes),
    },
    {
      title: `to ${recoveredShare * 100} %`,
      right: true,
      value: (s) => {
        if (s.runs.length === 0) return none;
        const found = middle(s.runs.map((run) => recoveryMs(bench, run)));
        return found === undefined
          ? `> ${(bench.settings.windowsMs.at(-1) ?? 0) / 1000 - 1} s`
          : formatSeconds(found);
      },
    },
  ];
}

export function rivalsText(bench: RivalsBench, renderTable: RenderTable): string {
  const all = summarize(bench);
  const first = windowColumns(bench, 0);
  const last = windowColumns(bench, bench.settings.windowsMs.length - 1);
  return [
    renderTable([...warming, ...afterwards(bench)], all),
    renderTable([warming[0]!, ...first, ...last], all),
    `${describe(bench)}\n`,
    ...bench.left.map(({ way, why }) => `Not done: ${way}: ${why}.\n`),
    `${coldCheck(bench)}\n`,
    describeStolen(bench),
    refusal(bench),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

export function rivalsReport(bench: RivalsBench): string {
  const { settings, left, device } = bench;
  const all = summarize(bench);
  const charts = [throughput(bench)];
  const body = `<p class="lead">The VM <b>app1</b> moves to a replica that holds none of its cache. Before the move, each known way of warming the replica is gone once, in turn with the others; then the VM reads there, ${formatCount(settings.pace.after ?? 0)} reads a second wanted. Figures are medians of ${settings.repetitions}.</p>
${device.throttled ? '' : `<p class="note"><b>The disk is not limited on this machine</b> (${escapeMarkup(device.reason ?? 'unknown')}).</p>`}
${refusal(bench) === '' ? '' : `<p class="note">${escapeMarkup(refusal(bench))}</p>`}
<h2>What warming took, and what it was worth</h2>
<p class="quiet">Precision: of the blocks that came into the pool meanwhile, the share that the VM touched within ${windowS(bench)} s after the switch. Recall: of the blocks it touched, the share that was in the pool at the switch; what lies in the page cache alone does not count, and shows in what was read after. No warming of this work set can be faster than ${bench.floorMs === 0 ? 'the disk is' : formatSeconds(bench.floorMs)}.</p>
${htmlTable([...warming, ...afterwards(bench)], all)}
<h2>Throughput around the switch</h2>
<p class="quiet">Reads a second of app1, the last repetition. A click on a name in the legend hides its line.</p>
${charts.map(chartElement).join('\n')}
<h2>What the VM felt</h2>
${settings.windowsMs.map((_, i) => htmlTable([warming[0]!, ...windowColumns(bench, i)], all)).join('\n')}
<h2>The ways</h2>
${htmlTable(
  [
    { title: 'way', value: ({ way }: WaySummary) => way.title },
    { title: 'what is done', value: ({ way }: WaySummary) => way.explained },
  ],
  all,
)}
${left.map(({ way, why }) => `<p class="quiet">Not done: ${escapeMarkup(way)}: ${escapeMarkup(why)}.</p>`).join('')}
<h2>Device and settings</h2>
${settingsTable({
  setting: describe(bench),
  servers: `a primary and two physical replicas, ${databaseKinds[settings.engine].describePool(settings.poolMb)} each`,
  data: `app1's table ${settings.tableMb} MB, those of app2 and app3 ${settings.neighbourTableMb} MB each, primary keys ${databaseKinds[settings.engine].keyIncluded ? 'included' : 'besides'}`,
  'load of app1': `${settings.clientCount} connections, ${settings.pace.before} reads a second before the switch and ${settings.pace.after} wanted after it, a third of its table, ${settings.hotPlace === undefined ? 'scattered over it' : 'in its middle'}, seed ${settings.seed}`,
  'cold starts': coldCheck(bench),
  mirrors: `for ${settings.mirrorMs / 1000} s each`,
  drift: `a run is compared only if the controls before and behind it differ by no more than ${driftBounds.tps * 100} % in throughput and ${driftBounds.p50 * 100} % in the median read`,
})}`;
  return renderPage({ title: 'Benchmark: every way to warm a replica', body, charts });
}

/** The strong ones are drawn as such: what is compared with, and Forewarm. */
function throughput(bench: RivalsBench): Chart {
  const span = { fromS: -2, toS: windowS(bench), binS: 0.2 };
  const all = summarize(bench).filter(({ runs }) => runs.length > 0);
  const lines = all.map(({ way, runs }) => {
    const { atS, tps } = timelineOf(
      runs.slice(-1).map(({ samples }) => ({ figures: { name: 'forewarm' as const }, samples })),
      span,
    );
    return { way, atS, values: tps.forewarm ?? [] };
  });
  return {
    id: 'throughput',
    x: { title: 's from the switch', unit: ' s', values: lines[0]?.atS ?? [] },
    y: { unit: '/s' },
    height: 420,
    series: lines.map(({ way, values }) => ({
      ...{ title: way.title, color: way.color, values },
      ...{ dashed: way.control === true, strong: way.subject === true },
    })),
    marks: [{ title: 'switch', at: 0 }],
  };
}

const windowS = ({ settings }: RivalsBench) => (settings.windowsMs.at(-1) ?? 0) / 1000;

function describe({ version, settings, device, workSetBytes, floorMs }: RivalsBench): string {
  const disk = device.throttled ? `disk limited as ${settings.device}` : `disk not limited: ${device.reason}`;
  const floor = floorMs === 0 ? '' : `, floor ${formatSeconds(floorMs)}`;
  return `${databaseKinds[settings.engine].title} ${version}, work set ${formatMegabytes(workSetBytes)}${floor}, ${disk}; medians of ${settings.repetitions}`;
}

/** That caches were dropped is not believed but counted. */
function coldCheck({ runs }: RivalsBench): string {
  const left = runs.flatMap(({ osResidentBytes }) => osResidentBytes ?? []);
  const cold = runs.filter(({ way }) => way === 'cold');
  const most = left.length === 0 ? 'unknown' : formatMegabytes(Math.max(...left));
  const read =
    cold.length === 0 ? 'unknown' : formatMegabytes(Math.min(...cold.map((run) => run.readAfterBytes)));
  return `page cache of the target's files before a cold start ${most} at most; a cold move then read ${read} at least from the disk`;
}

function refusal({ runs }: RivalsBench): string {
  const refused = runs.filter(({ drift }) => !drift.comparable);
  const alone = refused.filter(({ drift }) => Number.isNaN(drift.tps)).length;
  const drifted = refused.length - alone;
  return [
    drifted === 0
      ? ''
      : `${drifted} runs are not compared: the controls around them differ by more than ${driftBounds.tps * 100} % in throughput or ${driftBounds.p50 * 100} % in the median read, so the machine was not the same. They are in results.json.\n`,
    alone === 0
      ? ''
      : `${alone} runs are not compared: there is no control behind them. They are in results.json.\n`,
  ].join('');
}
