import { databaseKinds } from '../lab/experiment/databases.ts';
import { formatSeconds } from '../lab/report/format.ts';
import { renderReport } from '../lab/report/html.ts';
import { describeSetting } from '../lab/report/picture.ts';
import type { FullPoolRun } from './full-pool.ts';
import type { HotPartRun } from './hot-part.ts';
import type { MysqlBench } from './mysql.ts';
import { goalsOf } from './mysql-figures.ts';
import { readyStepsOf } from './ready-steps.ts';
import { describeRepetitions, describeStolen } from './run-figures.ts';
import {
  armColumns,
  type Column,
  goalColumns,
  htmlTable,
  type RenderTable,
  runsOf,
  stepColumns,
} from './tables.ts';

const fullPoolColumns: readonly Column<FullPoolRun>[] = [
  { title: 'ready after', right: true, value: ({ readyMs }) => formatSeconds(readyMs) },
  { title: 'pages wanted', right: true, value: ({ wantedPages }) => String(wantedPages) },
  { title: 'planned', right: true, value: ({ plannedPages }) => String(plannedPages) },
  { title: 'kept', right: true, value: ({ keptPages }) => String(keptPages) },
  { title: "resident's hot pages", right: true, value: ({ hotPages }) => String(hotPages) },
  { title: 'of them lost', right: true, value: ({ lostHotPages }) => String(lostHotPages) },
];

const hotPartColumns: readonly Column<HotPartRun>[] = [
  { title: 'hot part', value: ({ place }) => place },
  { title: 'ready after', right: true, value: ({ readyMs }) => formatSeconds(readyMs) },
  { title: 'pages needed', right: true, value: ({ neededPages }) => String(neededPages) },
  { title: 'found', right: true, value: ({ foundPages }) => String(foundPages) },
  { title: 'read', right: true, value: ({ readPages }) => String(readPages) },
];

/** Everything that was measured. */
export function mysqlSeen(bench: MysqlBench) {
  const { experiment, fullPool, hotPart } = bench;
  return {
    device: experiment.device,
    document: experiment.document,
    goals: goalsOf(bench),
    readySteps: readyStepsOf(experiment.runs),
    fullPool,
    hotPart,
    runs: runsOf(experiment.runs),
    setAside: runsOf(experiment.setAside),
  };
}

/** The result for a terminal. */
export function mysqlText(bench: MysqlBench, renderTable: RenderTable): string {
  const { experiment, settings, fullPool, hotPart } = bench;
  return [
    renderTable(armColumns, experiment.document.arms),
    renderTable(goalColumns, goalsOf(bench)),
    'From intent to ready, each repetition:\n',
    renderTable(stepColumns, readyStepsOf(experiment.runs)),
    'Into a full pool:\n',
    renderTable(fullPoolColumns, fullPool),
    'A hot part of a table:\n',
    renderTable(hotPartColumns, hotPart),
    `${describeSetting(experiment)}; medians of ${describeRepetitions(settings)}.\n`,
    describeStolen(experiment),
    experiment.device.throttled ? '' : `The disk is not limited: ${experiment.device.reason}.\n`,
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** The result as one HTML file. */
export function mysqlReport(bench: MysqlBench): string {
  const { settings, experiment, fullPool, hotPart } = bench;
  const { title, describePool } = databaseKinds[settings.engine];
  const [other] = settings.others ?? [];
  return renderReport(experiment, {
    title: `Benchmark: ${title}`,
    sections: [
      `<h2>Figures to reach</h2>${htmlTable(goalColumns, goalsOf(bench))}`,
      `<h2>From intent to ready</h2>${htmlTable(stepColumns, readyStepsOf(experiment.runs))}`,
      `<h2>Into a full pool</h2><p>Tables that nobody reads fill the target's pool, and a resident reads there. Hot is what of its table is young before; lost is what of that is gone afterwards or was read again.</p>${htmlTable(fullPoolColumns, fullPool)}`,
      `<h2>A hot part of a table</h2><p>Another VM reads 7 % of its table's keys. Needed are the pages of it that the source holds.</p>${htmlTable(hotPartColumns, hotPart)}`,
    ],
    settings: {
      servers: `a primary and two physical replicas, ${describePool(settings.poolMb)} each`,
      data: `app1's table ${settings.tableMb} MB, those of app2 and app3 ${settings.neighbourTableMb} MB each, two more of ${other?.tableMb ?? 0} MB each, primary keys included`,
      'load of app1': `${settings.clientCount} connections, ${settings.pace.before} reads a second before the switch and as fast as it goes after it, over the whole table, seed ${settings.seed}`,
      repetitions: `${describeRepetitions(settings)}; figures are medians, plots the last repetition`,
    },
  });
}
