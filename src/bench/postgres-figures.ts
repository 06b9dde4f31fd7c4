import { floorMsOf } from '../lab/experiment/run-experiment.ts';
import { armOf, besideAlwaysWarm, type Goal, goal, measured } from './goals.ts';
import type { PostgresBench } from './postgres.ts';
import { processorShare } from './source-cost.ts';

const readyLimits = {
  gp3: 1.4,
  hdd: 1.7,
  even: Number.POSITIVE_INFINITY,
  none: Number.POSITIVE_INFINITY,
} as const;

/** The project's figures to reach, held against one run of the benchmark. */
export function goalsOf({ experiment, settings, sourceCost }: PostgresBench): readonly Goal[] {
  const forewarm = armOf(experiment.runs, 'forewarm');
  const readyLimit = readyLimits[settings.device];
  const goals: Goal[] = [
    goal('first second: throughput ÷ always warm', {
      limit: [0.95, Number.POSITIVE_INFINITY],
      ...besideAlwaysWarm(experiment.runs, ({ figures }) => figures.first1s.tps),
    }),
    goal('first second: p99 ÷ always warm', {
      limit: [0, 1.5],
      ...besideAlwaysWarm(experiment.runs, ({ figures }) => figures.first1s.p99Ms),
    }),
    goal('read within 10 s after the switch ÷ work set', {
      ...{ limit: [0, 0.05], unit: 'percent' },
      values: forewarm.map((run) => run.figures.readAfterBytes / (run.migration?.record.workSet?.bytes ?? 1)),
    }),
    goal("another VM's blocks read", {
      ...{ limit: [0, 0], unit: 'blocks' },
      values: forewarm.map(({ migration }) => {
        const { read = 0, resident = 0 } = migration?.strangerBlocks ?? {};
        return Math.max(read, resident);
      }),
    }),
    goal("cost to the source's throughput", {
      ...{ limit: [Number.NEGATIVE_INFINITY, 0.01], unit: 'percent' },
      values: (sourceCost?.pairs ?? []).map(({ onTps, offTps }) => 1 - onTps / offTps),
      ...(sourceCost === undefined ? {} : { between: sourceCost.between }),
    }),
    goal("the source's processors, taken by agent and sessions", {
      ...{ limit: [0, 0.01], unit: 'percent' },
      values: sourceCost === undefined ? [] : [processorShare(sourceCost)],
    }),
  ];
  // The limits are for the limited disks.
  if (!Number.isFinite(readyLimit) || !experiment.device.throttled) return measured(goals);
  const ready = goal('intent to ready ÷ floor', {
    limit: [0, readyLimit],
    values: forewarm.map((run) => run.figures.readyMs / floorMsOf(experiment.document.device, run.migration)),
  });
  return measured([ready, ...goals]);
}
