import { startStages } from '../../lab/experiment/site.ts';
import { formatMegabytes, formatSeconds } from '../../lab/report/format.ts';
import { renderPage, settingsTable } from '../../lab/report/page.ts';
import { type PlanningFigures, planningColumns, runPlanningBench } from '../planning.ts';
import { quantile } from '../quantile.ts';
import type { Figure, Suite, SuiteOptions, SuiteOutcome } from '../suite.ts';
import { type Column, htmlTable } from '../tables.ts';
import { type Fitted, fitCase, type SizeCase } from './fits.ts';
import { type ManyMove, manyStages, measureManyVms } from './many-vms.ts';
import { fullSizes, quickSizes, thisMachine } from './settings.ts';
import { measureSize, type SizedMove, siteOptions, sizeStage } from './sized-moves.ts';

const ratio = (value: number) => (Number.isFinite(value) ? value.toFixed(2) : '–');
const sizeColumns: readonly Column<SizedMove>[] = [
  { title: 'work set', right: true, value: ({ workSetBytes }) => formatMegabytes(workSetBytes) },
  { title: 'pool', right: true, value: ({ poolMb }) => `${poolMb} MB` },
  { title: 'table', right: true, value: ({ tableMb }) => `${tableMb} MB` },
  { title: 'ready after', right: true, value: ({ readyMs }) => formatSeconds(readyMs) },
  { title: 'floor', right: true, value: ({ floorMs }) => formatSeconds(floorMs) },
  { title: 'ready ÷ floor', right: true, value: ({ readyMs, floorMs }) => ratio(readyMs / floorMs) },
  { title: 'read', right: true, value: ({ bytesRead }) => formatMegabytes(bytesRead) },
  { title: 'read ÷ work set', right: true, value: (move) => ratio(move.bytesRead / move.workSetBytes) },
  { title: 'operations', right: true, value: ({ operationsRead }) => String(operationsRead ?? '–') },
  { title: 'resident', right: true, value: ({ residency }) => `${(residency * 100).toFixed(1)} %` },
];
const manyColumns: readonly Column<ManyMove>[] = [
  { title: 'VMs at once', right: true, value: ({ vms }) => String(vms) },
  { title: 'work sets', right: true, value: ({ workSetBytes }) => formatMegabytes(workSetBytes) },
  { title: 'first ready', right: true, value: ({ readyMs }) => formatSeconds(readyMs[0] ?? Number.NaN) },
  { title: 'last ready', right: true, value: ({ readyMs }) => formatSeconds(readyMs.at(-1) ?? Number.NaN) },
  {
    title: 'floor',
    right: true,
    value: ({ floorMs }) => (Number.isFinite(floorMs) ? formatSeconds(floorMs) : '–'),
  },
  {
    title: 'last ÷ floor',
    right: true,
    value: ({ readyMs, floorMs }) => ratio((readyMs.at(-1) ?? Number.NaN) / floorMs),
  },
  { title: 'read', right: true, value: ({ bytesRead }) => formatMegabytes(bytesRead) },
  { title: 'least resident', right: true, value: ({ residency }) => `${(residency * 100).toFixed(1)} %` },
  { title: 'failed', right: true, value: ({ failed }) => String(failed) },
];

interface SizeRun {
  readonly moves: readonly SizedMove[];
  readonly leftOut: readonly Extract<Fitted, { reason: string }>[];
  readonly many: readonly ManyMove[];
  readonly planning: readonly PlanningFigures[];
}

function plan({ quick }: SuiteOptions) {
  const settings = quick ? quickSizes : fullSizes;
  const machine = thisMachine();
  const fitted = settings.workSetsMb.map((size) => fitCase(size, machine, settings.tablePerPool));
  const cases = fitted.filter((one): one is SizeCase => !('reason' in one));
  const leftOut = fitted.filter((one) => 'reason' in one);
  return { settings, cases, leftOut };
}

const planningStage = { text: 'planning synthetic work sets', expectedMs: 40_000 };

export const sizeSuite: Suite = {
  name: 'size',
  measures:
    'work sets from 16 MB to 4 GB as the machine has room, in tables of up to ten times the pool; plans of up to 16 million blocks; 1 to 16 VMs to one target at once',
  needs:
    'root for a limited disk; the largest that fit into 75 % of the free disk and 70 % of the memory are run',
  takes: '25 min (--quick 3 min)',
  engines: ['postgres', 'mariadb', 'mysql'],
  devices: ['gp3', 'hdd', 'none'],
  repetitions: 3,
  stages(options) {
    const { settings, cases } = plan(options);
    const common = siteOptions(options, { onStage: () => {} });
    return [
      planningStage,
      ...manyStages(settings, options),
      ...cases.flatMap((size) => [
        ...startStages({ ...common, tableMb: size.tableMb }),
        sizeStage(size, options),
      ]),
    ];
  },
  async run(options, lab) {
    const { settings, cases, leftOut } = plan(options);
    const [moves, many, planning]: [SizedMove[], ManyMove[], PlanningFigures[]] = [[], [], []];
    const versions: Record<string, string> = {};
    const onVersion = (version: string) => {
      versions[options.engine] = version;
    };
    const outcome = (): SuiteOutcome => ({
      versions,
      settings: { ...settings, cases },
      figures: sizeFigures({ moves, many, planning }),
      seen: { moves, leftOut, many, planning },
      text: (renderTable) =>
        [
          renderTable(sizeColumns, moves),
          ...leftOut.map(({ workSetMb, reason }) => `${workSetMb} MB is left out: ${reason}.\n`),
          renderTable(manyColumns, many),
          renderTable(planningColumns, planning),
        ].join('\n'),
      report: () => report({ moves, leftOut, many, planning }, options),
    });
    const into =
      <T>(all: T[]) =>
      (one: T) => {
        all.push(one);
        lab.onPartial(outcome);
      };
    lab.onStage(planningStage);
    for (const blocks of settings.plannedBlocks)
      await runPlanningBench({ runs: options.repetitions, blocks, onRun: into(planning) });
    await measureManyVms(settings, options, { ...lab, onVersion, onMove: into(many) });
    for (const size of cases) await measureSize(size, options, { ...lab, onVersion, onMove: into(moves) });
    return outcome();
  },
};

/** What two runs can be compared by. */
export function sizeFigures({ moves, many, planning }: Omit<SizeRun, 'leftOut'>): readonly Figure[] {
  const groups = <T>(all: readonly T[], by: (one: T) => string) =>
    [...new Set(all.map(by))].map((of) => ({ of, own: all.filter((one) => by(one) === of) }));
  return [
    ...groups(moves, ({ workSetMb }) => `${workSetMb} MB`).flatMap(({ of, own }): Figure[] => [
      {
        of,
        name: 'ready ÷ floor',
        unit: 'ratio',
        better: 'less',
        values: own.map((one) => one.readyMs / one.floorMs),
      },
      {
        of,
        name: 'read ÷ work set',
        unit: 'ratio',
        better: 'less',
        values: own.map((one) => one.bytesRead / one.workSetBytes),
      },
    ]),
    ...groups(many, ({ vms }) => (vms === 1 ? '1 VM' : `${vms} VMs`)).flatMap(({ of, own }): Figure[] => [
      {
        of,
        name: 'last ready',
        unit: 'ms',
        better: 'less',
        values: own.map((one) => one.readyMs.at(-1) ?? Number.NaN),
      },
      {
        of,
        name: 'read ÷ work set',
        unit: 'ratio',
        better: 'less',
        values: own.map((one) => one.bytesRead / one.workSetBytes),
      },
    ]),
    ...groups(planning, ({ blocks, scenario }) => `${blocks} blocks, ${scenario}`).flatMap(
      ({ of, own }): Figure[] => [
        { of, name: 'merged to planned', unit: 'ms', better: 'less', values: own.map((one) => one.totalMs) },
        { of, name: 'encoded', unit: 'bytes', better: 'less', values: own.map((one) => one.encodedBytes) },
      ],
    ),
  ];
}

function report(run: SizeRun, { device, repetitions, seed }: SuiteOptions): string {
  const { moves, leftOut, many, planning } = run;
  const sizes = [...new Set(moves.map(({ workSetMb }) => workSetMb))];
  const of = (pick: (move: SizedMove) => number) =>
    sizes.map((size) => quantile(moves.filter(({ workSetMb }) => workSetMb === size).map(pick), 0.5) / 1_000);
  const chart = {
    id: 'sizes',
    x: { title: 'work set', unit: ' MB', values: sizes },
    y: { unit: ' s', logarithmic: true },
    series: [
      { title: 'ready after', color: '#059669', values: of(({ readyMs }) => readyMs), strong: true },
      { title: 'floor', color: '#6b7280', values: of(({ floorMs }) => floorMs), dashed: true },
    ],
  };
  return renderPage({
    title: `Benchmark: size, ${device}`,
    charts: [chart],
    body: [
      '<h2>One VM, by the size of its work set</h2><div id="sizes" class="chart"></div>',
      htmlTable(sizeColumns, moves),
      ...leftOut.map(
        ({ workSetMb, reason }) => `<p class="note">${workSetMb} MB is left out: ${reason}.</p>`,
      ),
      `<h2>Several VMs to one target at once</h2>${htmlTable(manyColumns, many)}`,
      `<h2>Planning, with synthetic work sets</h2>${htmlTable(planningColumns, planning)}`,
      `<h2>Settings</h2>${settingsTable({ device, repetitions, seed })}`,
    ].join('\n'),
  });
}
