import { floorMsOf } from '../lab/experiment/run-experiment.ts';
import { tableOf } from '../lab/experiment/site.ts';
import { innodbPageBytes } from '../lab/mysql-app-data.ts';
import type { MigrationRecord } from '../messages/record.ts';
import { armOf, besideAlwaysWarm, type Goal, goal, measured } from './goals.ts';
import type { HotPlace } from './hot-part.ts';
import type { MysqlBench } from './mysql.ts';

const least = (value: number) => [value, Number.POSITIVE_INFINITY] as const;
const most = (value: number) => [0, value] as const;

/** The project's figures to reach on InnoDB, held against one run of the benchmark. */
export function goalsOf(bench: MysqlBench): readonly Goal[] {
  const { experiment, fullPool, hotPart } = bench;
  const forewarm = armOf(experiment.runs, 'forewarm');
  const hotGoals = (['newest', 'middle'] as const satisfies HotPlace[]).flatMap((place) => {
    const runs = hotPart.filter((run) => run.place === place);
    return [
      goal(`hot part, ${place}: pages read ÷ needed`, {
        limit: most(2),
        values: runs.map(({ readPages, neededPages }) => readPages / neededPages),
      }),
      goal(`hot part, ${place}: needed pages found`, {
        ...{ limit: least(0.95), unit: 'percent' },
        values: runs.map(({ foundPages, neededPages }) => foundPages / neededPages),
      }),
    ];
  });
  const goals: Goal[] = [
    goal('first second: throughput ÷ always warm', {
      limit: least(0.95),
      ...besideAlwaysWarm(experiment.runs, ({ figures }) => figures.first1s.tps),
    }),
    goal('full pool: planned pages kept', {
      ...{ limit: least(0.85), unit: 'percent' },
      // Pages above the leaves are kept besides what was planned.
      values: fullPool.map(({ keptPages, plannedPages }) => Math.min(1, keptPages / plannedPages)),
    }),
    goal("full pool: resident's hot pages lost", {
      ...{ limit: most(0), unit: 'blocks', always: true },
      values: fullPool.map(({ lostHotPages }) => lostHotPages),
    }),
    ...hotGoals,
    ...attributionGoals(bench),
  ];
  // The limit is for the limited disk.
  if (!experiment.device.throttled) return measured(goals);
  const ready = goal('empty pool: intent to ready ÷ floor', {
    limit: most(1.15),
    values: forewarm.map(
      ({ figures, migration }) =>
        figures.readyMs / floorMsOf(experiment.document.device, migration, innodbPageBytes),
    ),
  });
  return measured([ready, ...goals]);
}

/** Each VM reads one table, by statements that the agent was told nothing of. */
function attributionGoals({ experiment, fullPool, hotPart }: MysqlBench): readonly Goal[] {
  const records = [
    ...experiment.runs.flatMap(({ migration }) => migration?.record ?? []),
    ...fullPool.map(({ record }) => record),
    ...hotPart.map(({ record }) => record),
  ];
  return [
    goal('tables read by a VM: found', {
      ...{ limit: least(1), unit: 'percent', always: true },
      values: records.map((record) => Number(tablesIn(record).includes(tableOf(record.vm)))),
    }),
    goal('tables not read by a VM: taken for its own', {
      ...{ limit: most(0), unit: 'blocks', always: true },
      values: records.map((record) => tablesIn(record).filter((name) => name !== tableOf(record.vm)).length),
    }),
  ];
}

const tablesIn = ({ relations = [] }: MigrationRecord): readonly string[] =>
  relations.map(({ name }) => name);
