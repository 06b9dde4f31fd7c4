import type { EngineKind } from '../../engines/engine.ts';
import { databaseKinds } from '../../lab/experiment/databases.ts';
import { median } from '../../lab/experiment/run-experiment.ts';
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
import { type Column, goalColumns, htmlTable, type RenderTable } from '../tables.ts';
import { type ArmSummary, disturbance, goalsOf, known, residentIn, summarize, tpsOf } from './figures.ts';
import type { ArmRun, ResidentRun, ResidentsBench } from './result.ts';

const none = '–';

/** Median, and in brackets the least and the greatest where there are several. */
function shown(
  { runs }: Pick<ArmSummary, 'runs'>,
  of: (run: ArmRun) => number | undefined,
  format: (value: number) => string,
): string {
  const values = known(runs.map(of));
  if (values.length === 0) return none;
  const middle = format(median(values));
  if (values.length === 1) return middle;
  return `${middle} (${format(Math.min(...values))} to ${format(Math.max(...values))})`;
}

const titleOf = ({ arm, runs, refused }: ArmSummary) =>
  runs.length === 0
    ? `${arm.title} (not compared)`
    : refused === 0
      ? arm.title
      : `${arm.title} (${runs.length} of ${runs.length + refused})`;

const armColumn: Column<ArmSummary> = { title: 'arm', value: titleOf };
const ratio = (value: number) => value.toFixed(2);

const warmingColumns: readonly Column<ArmSummary>[] = [
  armColumn,
  { title: 'ready after', right: true, value: (s) => shown(s, ({ readyMs }) => readyMs, formatSeconds) },
  { title: 'read', right: true, value: (s) => shown(s, ({ bytesRead }) => bytesRead, formatMegabytes) },
  {
    title: 'throttled',
    right: true,
    value: (s) => shown(s, throttledMs, formatSeconds),
  },
  {
    title: 'processors in use before',
    right: true,
    value: (s) => shown(s, ({ busyShare }) => busyShare.before, formatPercent),
  },
  {
    title: 'while warming',
    right: true,
    value: (s) => shown(s, ({ busyShare }) => busyShare.during, formatPercent),
  },
  {
    title: 'app1 after its arrival: p99',
    right: true,
    value: (s) => shown(s, ({ mover }) => mover?.p99Ms, formatLatency),
  },
];

/** Pauses of all connections added up. */
function throttledMs({ record }: ArmRun): number | undefined {
  if (record === undefined) return undefined;
  return Object.values(record.warmed?.throttledMs ?? {}).reduce((sum, ms) => sum + ms, 0);
}

type OfResident = (one: ResidentRun) => number | undefined;

const picked = (vm: string, pick: OfResident) => (run: ArmRun) => {
  const one = residentIn(run, vm);
  return one === undefined ? undefined : pick(one);
};

/** What one resident felt. */
function feltColumns(vm: string): readonly Column<ArmSummary>[] {
  const stretch = (key: 'before' | 'during' | 'after', title: string): readonly Column<ArmSummary>[] => [
    {
      ...{ title: `${title}: reads/s`, right: true },
      value: (s) =>
        shown(
          s,
          picked(vm, (one) => tpsOf(one[key])),
          formatCount,
        ),
    },
    {
      ...{ title: 'p99', right: true },
      value: (s) =>
        shown(
          s,
          picked(vm, (one) => one[key]?.p99Ms),
          formatLatency,
        ),
    },
    ...(key === 'before'
      ? []
      : [
          {
            ...{ title: '÷ before', right: true },
            value: (s: ArmSummary) => shown(s, (run) => disturbance(run, { vm, stretch: key }), ratio),
          },
        ]),
  ];
  return [
    { ...armColumn, title: `${vm} felt` },
    ...stretch('before', 'before'),
    ...stretch('during', 'while warming'),
    ...stretch('after', 'after'),
  ];
}

/** What became of one resident's pages. */
function pageColumns(vm: string): readonly Column<ArmSummary>[] {
  const count = (title: string, pick: OfResident): Column<ArmSummary> => ({
    ...{ title, right: true },
    value: ({ all }) => shown({ runs: all }, picked(vm, pick), formatCount),
  });
  return [
    { title: `${vm}'s pages`, value: ({ arm }) => arm.title },
    count('hot', (one) => one.hotBlocks),
    count('lost when warmed', (one) => one.lostBlocks.warmed),
    count('lost at the end', (one) => one.lostBlocks.end),
    count('misses while warming', (one) => one.missedBlocks.during),
    count('misses after', (one) => one.missedBlocks.after),
  ];
}

/** For each resident what it felt, and what became of its pages. */
function residentTables(bench: ResidentsBench): readonly (readonly Column<ArmSummary>[])[] {
  return bench.settings.residents.flatMap(({ vm }) => [feltColumns(vm), pageColumns(vm)]);
}

export function residentsText(bench: ResidentsBench, renderTable: RenderTable): string {
  const all = summarize(bench);
  return [
    renderTable(warmingColumns, all),
    ...residentTables(bench).map((columns) => renderTable(columns, all)),
    renderTable(goalColumns, goalsOf(bench)),
    `${describe(bench)}\n`,
    describeStolen(bench),
    refusal(bench),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

export function residentsReport(bench: ResidentsBench): string {
  const { settings, device, pageCache } = bench;
  const all = summarize(bench);
  const charts = settings.residents.map(({ vm }) => latencyOf(bench, vm));
  const unlimited = [
    ...(device.throttled ? [] : [`The disk is not limited on this machine (${device.reason})`]),
    ...(pageCache.limited ? [] : [`The page cache is not limited on this machine (${pageCache.reason})`]),
  ];
  const names = settings.residents.map(({ vm }) => `<b>${escapeMarkup(vm)}</b>`).join(' and ');
  const body = `<p class="lead">${names} live on the replica that <b>app1</b> moves to. What they read fills most of its pool, and little page cache lies behind that, so that a page that is evicted is read from the disk again. What does each way of warming do to them, while it goes on and after app1 has come?</p>
${unlimited.map((text) => `<p class="note"><b>${escapeMarkup(text)}.</b></p>`).join('\n')}
${refusal(bench) === '' ? '' : `<p class="note">${escapeMarkup(refusal(bench))}</p>`}
<h2>Figures to reach, for Forewarm</h2>
${htmlTable(goalColumns, goalsOf(bench))}
<h2>What the warming took</h2>
${htmlTable(warmingColumns, all)}
<h2>What the residents felt</h2>
<p class="quiet">${escapeMarkup(explained(settings.engine))}</p>
${residentTables(bench)
  .map((columns) => htmlTable(columns, all))
  .join('\n')}
${settings.residents.map(({ vm }, i) => `<h2>Slowest reads of ${escapeMarkup(vm)}</h2>\n${chartElement(charts[i]!)}`).join('\n')}
<p class="quiet">99th percentile of the time that a read takes, in milliseconds, by half seconds, the last repetition; 0 is the begin of the warming, or the arrival where nothing is warmed. Each line up is ten times as slow. A click on a name in the legend hides its line.</p>
<h2>The arms</h2>
${htmlTable(
  [
    { title: 'arm', value: ({ arm }: ArmSummary) => arm.title },
    { title: 'what is done', value: ({ arm }: ArmSummary) => arm.explained },
  ],
  all,
)}
<h2>Device and settings</h2>
${settingsTable(settingsOf(bench))}`;
  return renderPage({ title: 'Benchmark: those who live on the target', body, charts });
}

function explained(engine: EngineKind): string {
  const hot =
    engine === 'postgres'
      ? `were used ${databaseKinds.postgres.hotHeat} times and more (usage count)`
      : "were in the young part of InnoDB's list";
  return `Hot pages: blocks in the pool that ${hot} before. Lost: of those, no longer in the pool. Misses: blocks that a resident did not find in the pool, once lost or never there. “÷ before”: p99 by what the same resident had right before in the same run. Pages are counted in every run, times in those that may be compared.`;
}

function settingsOf(bench: ResidentsBench): Record<string, string | number> {
  const { settings } = bench;
  const memory = bench.runs.flatMap((run) => run.memory ?? []);
  const most = Math.max(...memory.map(({ pageCacheBytes }) => pageCacheBytes));
  return {
    setting: describe(bench),
    servers: `a primary and two physical replicas, ${databaseKinds[settings.engine].describePool(settings.poolMb)} each`,
    residents: settings.residents
      .map(({ vm, tableMb, clientCount, tps }) => {
        return `${vm}: a third of a table of ${tableMb} MB, ${formatCount(tps)} reads a second, ${clientCount} connections`;
      })
      .join('; '),
    'rest of the pool': `a table of ${settings.poolMb} MB that nobody reads, brought in before the residents read`,
    "target's page cache": bench.pageCache.limited
      ? `held to ${settings.pageCacheMb} MB, ${memory.length === 0 ? 'not counted' : `${formatMegabytes(most)} at most`} when an arm began`
      : `not limited: ${bench.pageCache.reason}`,
    'app1, which comes': `a third of a table of ${settings.tableMb} MB, ${settings.clientCount} connections, ${formatCount(settings.pace.before)} reads a second, seed ${settings.seed}`,
    'looked at': `${settings.beforeMs / 1000} s before, the warming (the control ${settings.undisturbedMs / 1000} s), ${settings.afterMs / 1000} s after`,
    drift: `a run is compared only if the controls before and behind it differ by no more than ${driftBounds.tps * 100} % in throughput and ${driftBounds.p50 * 100} % in the median read`,
  };
}

const binMs = 500;

function latencyOf(bench: ResidentsBench, vm: string): Chart {
  const all = summarize(bench).flatMap(({ arm, runs }) => {
    const own = runs.at(-1);
    return own === undefined ? [] : [{ arm, samples: residentIn(own, vm)?.samples ?? [] }];
  });
  const fromMs = -3_000;
  const endMs = Math.max(
    0,
    ...all.map(({ samples }) => (samples.at(-1)?.atMs ?? 0) + (samples.at(-1)?.durationMs ?? 0)),
  );
  const bins = Array.from({ length: Math.ceil((endMs - fromMs) / binMs) }, (_, i) => fromMs + i * binMs);
  return {
    id: `latency-${vm}`,
    x: { title: 's', unit: ' s', values: bins.map((ms) => (ms + binMs / 2) / 1_000) },
    y: { unit: ' ms', logarithmic: true },
    series: all.map(({ arm, samples }) => ({
      ...{
        title: arm.title,
        color: arm.color,
        dashed: arm.control === true,
        strong: arm.name === 'forewarm',
      },
      values: bins.map((ms) => {
        const inside = samples.filter(
          ({ atMs, transactions }) => atMs >= ms && atMs < ms + binMs && transactions > 0,
        );
        return inside.length === 0 ? null : Math.max(...inside.map(({ p99Ms }) => p99Ms));
      }),
    })),
    marks: [{ title: 'begin', at: 0 }],
  };
}

function describe({ version, settings, device, pageCache }: ResidentsBench): string {
  const disk = device.throttled ? `disk limited as ${settings.device}` : `disk not limited: ${device.reason}`;
  const cache = pageCache.limited
    ? `target's page cache held to ${settings.pageCacheMb} MB`
    : `page cache not limited: ${pageCache.reason}`;
  return `${databaseKinds[settings.engine].title} ${version}, pool of ${settings.poolMb} MB, ${cache}, ${disk}; medians of ${settings.repetitions}, least and greatest in brackets`;
}

function refusal({ runs }: ResidentsBench): string {
  const refused = runs.filter(({ drift }) => !drift.comparable);
  return refused.length === 0
    ? ''
    : `${refused.length} of ${runs.length} runs are not compared in their times: there is no control behind them, or the controls around them differ by more than ${driftBounds.tps * 100} % in throughput or ${driftBounds.p50 * 100} % in the median read, so the machine was not the same. They are in results.json.\n`;
}
