import { databaseKinds } from '../lab/experiment/databases.ts';
import { formatMegabytes } from '../lab/report/format.ts';
import { renderReport } from '../lab/report/html.ts';
import { describeSetting } from '../lab/report/picture.ts';
import { type Goal, showValue } from './goals.ts';
import type { PostgresBench } from './postgres.ts';
import { goalsOf } from './postgres-figures.ts';
import { readyStepsOf } from './ready-steps.ts';
import { describeRepetitions, describeStolen } from './run-figures.ts';
import { processorShare, type SourceCost } from './source-cost.ts';
import { armColumns, goalColumns, htmlTable, type RenderTable, runsOf, stepColumns } from './tables.ts';

/** Everything that was measured. */
export function postgresSeen(bench: PostgresBench, goals: readonly Goal[]) {
  const { experiment, sourceCost } = bench;
  return {
    device: experiment.device,
    document: experiment.document,
    goals,
    readySteps: readyStepsOf(experiment.runs),
    sourceCost,
    runs: runsOf(experiment.runs),
    setAside: runsOf(experiment.setAside),
  };
}

/** The result for a terminal. */
export function postgresText(bench: PostgresBench, renderTable: RenderTable): string {
  const { experiment, sourceCost } = bench;
  const osCache = experiment.runs.flatMap(({ osResidentBytes }) => osResidentBytes ?? []);
  return [
    renderTable(armColumns, experiment.document.arms),
    renderTable(goalColumns, goalsOf(bench)),
    'From intent to ready, each repetition:\n',
    renderTable(stepColumns, readyStepsOf(experiment.runs)),
    `${describeSetting(experiment)}; medians of ${describeRepetitions(bench.settings)}.\n`,
    describeStolen(experiment),
    experiment.device.throttled ? '' : `The disk is not limited: ${experiment.device.reason}.\n`,
    `Page cache of the target's files once it was emptied: ${osCache.length === 0 ? 'unknown' : formatMegabytes(Math.max(...osCache))} at most.\n`,
    sourceCost === undefined ? '' : describeCost(sourceCost),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function describeCost(cost: SourceCost): string {
  const { processors, between, cpuCores } = cost;
  const { agent, sessions } = cpuCores;
  const [low, high] = between;
  const share = showValue(processorShare(cost), 'percent');
  return `At the source the agent takes ${agent.toFixed(3)} of a processor and its sessions ${sessions.toFixed(3)}, ${share} of this machine's ${processors}, with a work set served each minute; the cost to throughput lies between ${showValue(low, 'percent')} and ${showValue(high, 'percent')} (95 %).\n`;
}

/** The result as one HTML file. */
export function postgresReport(bench: PostgresBench): string {
  const { settings } = bench;
  return renderReport(bench.experiment, {
    title: `Benchmark: PostgreSQL, ${settings.device}`,
    sections: [
      `<h2>Figures to reach</h2>${htmlTable(goalColumns, goalsOf(bench))}`,
      `<h2>From intent to ready</h2>${htmlTable(stepColumns, readyStepsOf(bench.experiment.runs))}`,
    ],
    settings: {
      servers: `a primary and two physical replicas, ${databaseKinds.postgres.describePool(settings.poolMb)} each`,
      data: `app1's table ${settings.tableMb} MB, those of app2 and app3 ${settings.neighbourTableMb} MB each, primary keys besides`,
      'load of app1': `${settings.clientCount} connections, ${settings.pace.before} reads a second before the switch and as fast as it goes after it, seed ${settings.seed}`,
      repetitions: `${describeRepetitions(settings)}; arms interleaved; figures are medians, plots the last repetition`,
    },
  });
}
