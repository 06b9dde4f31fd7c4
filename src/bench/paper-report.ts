import { databaseKinds } from '../lab/experiment/databases.ts';
import { type Chart, type ChartMark, chartElement, type Series } from '../lab/report/charts.ts';
import { escapeMarkup } from '../lab/report/format.ts';
import { renderPage, settingsTable } from '../lab/report/page.ts';
import { renderPanels } from '../lab/report/panels.ts';
import {
  type PaperBench,
  type PaperCase,
  type PaperRun,
  type Pattern,
  type Point,
  patterns,
} from './paper.ts';
import { firstMs, meanRate, middleOf, type PaperRow, paperOwn, paperRows } from './paper-figures.ts';
import { type Column, htmlTable, type RenderTable } from './tables.ts';

const colors = { read: '#e2571e', source: '#8b919c', target: '#3b6fd4' } as const;
const binMs = 250;
/** Shown before the migration: as long as warming took, up to this. */
const longestLeadMs = 12_000;

const rate = (row: PaperRow, of: Parameters<typeof middleOf>[1]) => {
  const value = middleOf(row, of);
  return value === undefined ? '–' : `${(value / 1e6).toFixed(value < 1e7 ? 1 : 0)} MB/s`;
};
const columns: readonly Column<PaperRow>[] = [
  { title: 'load', value: ({ load }) => load },
  { title: 'VMs', right: true, value: ({ vmCount }) => String(vmCount) },
  { title: 'pattern', value: ({ pattern }) => `(${pattern}) ${patterns[pattern]}` },
  { title: 'a VM before', right: true, value: (row) => rate(row, 'readBefore') },
  { title: `first ${firstMs / 1_000} s after`, right: true, value: (row) => rate(row, 'readFirst') },
  { title: 'after', right: true, value: (row) => rate(row, 'readAfter') },
  { title: "source's disk before", right: true, value: (row) => rate(row, 'diskBefore') },
  { title: "target's disk after", right: true, value: (row) => rate(row, 'diskAfter') },
];

export function paperText(bench: PaperBench, renderTable: RenderTable): string {
  return `${renderTable(columns, paperRows(bench))}\n${describe(bench)}\n`;
}

export function paperReport(bench: PaperBench): string {
  const { settings, device } = bench;
  const charts: Chart[] = [];
  const sections = settings.cases.map((one, number) => {
    const panels = settings.patterns.flatMap((pattern) => {
      const own = panelOf(bench, one, pattern, `panel-${number}-${pattern}`);
      if (own.length === 0) return [];
      charts.push(...own);
      const told =
        one.load === 'sequence' && pattern !== 'd' && !settings.live
          ? paperOwn[one.vmCount][pattern]
          : undefined;
      return `<h3>(${pattern}) ${patterns[pattern]}</h3>${told === undefined ? '' : `<p class="quiet">The paper's: ${escapeMarkup(told)}.</p>`}${own.map(chartElement).join('')}`;
    });
    return `<h2>${escapeMarkup(titleOf(one))}</h2>${panels.join('\n')}`;
  });
  const body = `<p class="lead">VMs read from one replica, are migrated, and from then on read from another. As in the paper's figures 5 and 6, what a VM reads (on average) and what the servers' disks give, over time, the migration shaded; (d) is what the paper proposed. In its model a file over NFS stood for the database, here it is a real one.</p>
${device.throttled ? '' : `<p class="note"><b>The disks are not limited on this machine</b> (${escapeMarkup(device.reason ?? 'unknown')}): a fast local disk hides most of what a cold cache costs.</p>`}
${settings.live ? liveNote(bench) : ''}
${htmlTable(columns, paperRows(bench))}
<p class="quiet">Medians of ${settings.repetitions}; plots show the last repetition. The paper stopped before its caches became warm; here the VMs read their tables over and over, so that a cold replica recovers.</p>
${sections.join('\n')}
<h2>Device and settings</h2>
${settingsTable({
  setting: describe(bench),
  servers: `a primary and two physical replicas, ${databaseKinds[settings.engine].describePool(settings.poolMb)} each`,
  data: `${settings.dataMb} MB for one VM, as much for six together, each VM a table of its own, primary keys ${databaseKinds[settings.engine].keyIncluded ? 'included' : 'besides'}`,
  ...(settings.live
    ? {
        sequence:
          'one connection a guest, the table from its first row to its last, 256 KiB of rows a read, as fast as it goes',
      }
    : {
        sequence:
          'one connection a VM, the table from its first row to its last, 16 KiB of rows a read with one VM, 8 KiB with six, 10,000 reads a second at most',
        application:
          'four connections a VM, 20 rows by key range, a third of the table, some ranges hotter than others (Zipf 0.7), and updates at the primary',
      }),
  seed: settings.seed,
})}`;
  return renderPage({ title: 'Benchmark: the experiment of the paper, on a database', body, charts });
}

/** Each case with its patterns side by side, by `sequence-6` and the like. */
export function paperPictures(bench: PaperBench): Readonly<Record<string, string>> {
  const { settings } = bench;
  return Object.fromEntries(
    settings.cases.map((one) => {
      const columns = settings.patterns.flatMap((pattern) => {
        const charts = panelOf(bench, one, pattern, pattern);
        return charts.length === 0 ? [] : [{ title: `(${pattern}) ${shortPatterns[pattern]}`, charts }];
      });
      const title = titleOf(one);
      const label = `${title}, before and after a migration to another replica: ${columns.map((column) => column.title).join('; ')}`;
      const note = `${settingOf(bench)}; the last of ${settings.repetitions}`;
      const picture = { title, label, columns, note };
      return [`${one.load}-${one.vmCount}`, renderPanels(picture)] as const;
    }),
  );
}

const shortPatterns: Readonly<Record<Pattern, string>> = { ...patterns, d: 'the same with Forewarm' };

function titleOf({ load, vmCount }: PaperCase): string {
  const vms = vmCount === 1 ? 'One VM' : 'Six VMs';
  return load === 'sequence'
    ? `${vms}, reading in sequence (the paper's figure ${vmCount === 1 ? 5 : 6})`
    : `${vms}, reading like an application`;
}

/** What the VMs read, and below it what the disks give. */
function panelOf(bench: PaperBench, one: PaperCase, pattern: Pattern, id: string): readonly Chart[] {
  const same = bench.runs.filter(({ load, vmCount }) => load === one.load && vmCount === one.vmCount);
  const run = same.findLast((candidate) => candidate.pattern === pattern);
  if (run === undefined) return [];
  const { beforeMs, migrationMs, afterMs } = bench.settings;
  const leadMs = Math.max(
    beforeMs,
    ...same.map(({ intentMs = 0 }) => Math.min(longestLeadMs, 1_000 - intentMs)),
  );
  const fromMs = -binMs * Math.ceil(leadMs / binMs);
  const binCount = Math.floor((migrationMs + afterMs - fromMs) / binMs);
  const bins = Array.from({ length: binCount }, (_, i) => i * binMs + fromMs);
  const valuesOf = (points: readonly Point[]) => bins.map((fromMs) => inMb(points, fromMs));
  // The panels of a case are held against each other.
  const mostOf = (pick: (run: PaperRun) => readonly (readonly Point[])[]) =>
    Math.max(1, ...same.flatMap((candidate) => pick(candidate).flatMap(valuesOf)).map((value) => value ?? 0));
  const chart = (name: string, most: number, series: readonly Series[]): Chart => ({
    id: `${id}-${name}`,
    x: {
      title: 's from the begin of the migration',
      unit: ' s',
      values: bins.map((ms) => (ms + binMs / 2) / 1_000),
    },
    y: { unit: ' MB/s', most: most * 1.05 },
    height: 150,
    series,
    bands: [{ from: 0, to: run.switchedMs[1] / 1_000, title: 'migration' }],
    marks: [
      ...markOf('intent', run.intentMs),
      ...markOf('ready', run.readyMs),
      { title: 'switch', at: run.switchedMs[0] / 1_000 },
    ],
  });
  const { source, target } = run.disks;
  return [
    chart(
      'read',
      mostOf(({ read }) => [averageOf(read)]),
      [
        {
          title: run.vmCount === 1 ? 'read by the VM' : 'read by a VM, on average',
          color: colors.read,
          values: valuesOf(averageOf(run.read)),
          strong: true,
        },
      ],
    ),
    chart(
      'disks',
      mostOf(({ disks }) => [disks.source, disks.target]),
      [
        { title: "source's disk", color: colors.source, values: valuesOf(source), dashed: true },
        { title: "target's disk", color: colors.target, values: valuesOf(target) },
      ],
    ),
  ];
}

function markOf(title: string, atMs: number | undefined): readonly ChartMark[] {
  return atMs === undefined ? [] : [{ title, at: atMs / 1_000, color: colors.read }];
}

/** Bytes by time are added up over all points, and so are their durations: the rate of all is a VM's on average. */
function averageOf(read: PaperRun['read']): readonly Point[] {
  return read.flatMap(({ points }) => points);
}

function inMb(points: readonly Point[], fromMs: number): number | null {
  const value = meanRate(points, { fromMs, toMs: fromMs + binMs });
  return value === undefined ? null : Math.round(value / 1e4) / 100;
}

function liveNote(bench: PaperBench): string {
  const text = guestsText(bench);
  return `<p class="lead">${escapeMarkup(text)} With Forewarm the migration begins with the intent and is held to 4 MiB/s until the target is ready, as <code>forewarm migrate --qmp</code> does; without, it begins at full speed, and the route is set when it has ended.</p>`;
}

/** How the guests ran and how long they stood still. */
function guestsText({ accelerator, runs }: PaperBench): string {
  const by = accelerator === 'kvm' ? 'under KVM' : 'under software emulation';
  const longest = Math.max(0, ...runs.flatMap(({ downtimesMs = [] }) => downtimesMs));
  const lost = runs.reduce((sum, { failedQueries }) => sum + failedQueries, 0);
  return `Guests ${by}, migrated live from one QEMU process to another while they read; they stood still for ${longest} ms at most, and ${lost} reads failed.`;
}

function describe(bench: PaperBench): string {
  const guests = bench.settings.live ? ` ${guestsText(bench)}` : '';
  return `${settingOf(bench)}; medians of ${bench.settings.repetitions}.${guests}`;
}

function settingOf({ version, settings, device }: PaperBench): string {
  const disk = device.throttled
    ? `each replica's disk limited as ${settings.device}`
    : `disks not limited: ${device.reason}`;
  return `${databaseKinds[settings.engine].title} ${version}, ${settings.dataMb} MB of data, ${disk}`;
}
