import type { LoadSample } from '../../lab/app-messages.ts';
import { median } from '../../lab/experiment/run-experiment.ts';
import { type Goal, goal, measured } from '../goals.ts';
import type { Figure } from '../suite.ts';
import { type Arm, armsOf, control } from './arms.ts';
import type { ArmRun, ResidentRun, ResidentsBench } from './result.ts';

type Runs = Pick<ResidentsBench, 'runs' | 'settings'>;

/** One arm over its repetitions. */
export interface ArmSummary {
  readonly arm: Arm;
  /** Those whose times may be compared: the control did not drift around them. */
  readonly runs: readonly ArmRun[];
  /** Those that are counted in: pages are lost or not, however busy the machine was. */
  readonly all: readonly ArmRun[];
  /** Those that may not. */
  readonly refused: number;
}

/** The control first, then in the order of a repetition. */
export function summarize({ runs, settings }: Runs): readonly ArmSummary[] {
  return [control, ...armsOf(settings.engine)].flatMap((arm) => {
    const own = runs.filter((run) => run.arm === arm.name);
    const comparable = own.filter(({ drift }) => drift.comparable);
    const refused = own.length - comparable.length;
    return own.length === 0 ? [] : [{ arm, runs: comparable, all: own, refused }];
  });
}

export function residentIn({ residents }: ArmRun, vm: string): ResidentRun | undefined {
  return residents.find((one) => one.vm === vm);
}

/**
 * A resident's p99 by its own right before in the same run; undefined where that stretch was not measured. The machine
 * is the same then, as it is not a control later.
 */
export function disturbance(run: ArmRun, by: { readonly vm: string; readonly stretch: 'during' | 'after' }) {
  const one = residentIn(run, by.vm);
  const own = one?.[by.stretch]?.p99Ms;
  return own === undefined || one === undefined ? undefined : own / one.before.p99Ms;
}

export function known(values: readonly (number | undefined)[]): readonly number[] {
  return values.filter((value) => value !== undefined);
}

/** Transactions a second. */
export function tpsOf(sample: LoadSample | undefined): number | undefined {
  return sample === undefined ? undefined : (sample.transactions * 1_000) / sample.durationMs;
}

/** The figures to reach, for Forewarm as installed. */
export function goalsOf(bench: ResidentsBench): readonly Goal[] {
  const own = summarize(bench).find(({ arm }) => arm.name === 'forewarm');
  if (own === undefined) return [];
  return measured(
    bench.settings.residents.flatMap(({ vm }) => [
      goal(`${vm}: p99 while warming ÷ before`, {
        limit: [0, 1.1],
        values: whileWarming(own.runs, vm),
        ...restlessness(bench, { vm, own: own.runs }),
      }),
      goal(`${vm}: hot pages lost when warmed`, {
        ...{ limit: [0, 0], unit: 'blocks', always: true },
        values: known(own.all.map((run) => residentIn(run, vm)?.lostBlocks.warmed)),
      }),
    ]),
  );
}

function whileWarming(runs: readonly ArmRun[], vm: string): readonly number[] {
  return known(runs.map((run) => disturbance(run, { vm, stretch: 'during' })));
}

/** Undisturbed, a resident's p99 differs from what it was right before, too: no ratio is known better than that. */
function restlessness(
  { runs }: Runs,
  { vm, own }: { readonly vm: string; readonly own: readonly ArmRun[] },
): { readonly between?: readonly [number, number] } {
  const undisturbed = whileWarming(
    runs.filter(({ arm }) => arm === control.name),
    vm,
  );
  const warming = whileWarming(own, vm);
  if (undisturbed.length < 2 || warming.length === 0) return {};
  const middle = median(warming);
  return { between: [middle / Math.max(...undisturbed), middle / Math.min(...undisturbed)] };
}

type Quantity<Of> = Pick<Figure, 'name' | 'unit' | 'better'> & {
  readonly of: (of: Of) => number | undefined;
};

const ofRuns: readonly Quantity<ArmRun>[] = [
  { name: 'time to ready', unit: 'ms', better: 'less', of: ({ readyMs }) => readyMs },
  { name: 'read to warm', unit: 'bytes', better: 'less', of: ({ bytesRead }) => bytesRead },
  { name: "app1's p99 after its arrival", unit: 'ms', better: 'less', of: ({ mover }) => mover?.p99Ms },
];

const ofTimes = (['before', 'during', 'after'] as const).flatMap((key): Quantity<ResidentRun>[] => [
  { name: `p99 ${key}`, unit: 'ms', better: 'less', of: (one) => one[key]?.p99Ms },
  { name: `throughput ${key}`, unit: 'per second', better: 'more', of: (one) => tpsOf(one[key]) },
]);

const ofPages: readonly Quantity<ResidentRun>[] = [
  { name: 'hot pages lost when warmed', unit: 'count', better: 'less', of: (one) => one.lostBlocks.warmed },
  { name: 'hot pages lost at the end', unit: 'count', better: 'less', of: (one) => one.lostBlocks.end },
  { name: 'misses while warming', unit: 'count', better: 'less', of: (one) => one.missedBlocks.during },
  { name: 'misses after', unit: 'count', better: 'less', of: (one) => one.missedBlocks.after },
];

/** Every figure of every arm: times for each repetition that may be compared, pages for each. */
export function residentsFigures(bench: ResidentsBench): readonly Figure[] {
  return summarize(bench).flatMap(({ arm, runs, all }) => {
    const ofResident = (vm: string, quantities: readonly Quantity<ResidentRun>[], some: readonly ArmRun[]) =>
      quantities.flatMap(({ of, ...quantity }) => {
        const own = some.flatMap((run) => residentIn(run, vm) ?? []);
        return figureOf({ of: `${arm.name}, ${vm}`, ...quantity }, own.map(of));
      });
    return [
      ...ofRuns.flatMap(({ of, ...quantity }) => figureOf({ of: arm.name, ...quantity }, runs.map(of))),
      ...bench.settings.residents.flatMap(({ vm }) => [
        ...ofResident(vm, ofTimes, runs),
        ...ofResident(vm, ofPages, all),
      ]),
    ];
  });
}

function figureOf(figure: Omit<Figure, 'values'>, values: readonly (number | undefined)[]): Figure[] {
  return known(values).length === 0 ? [] : [{ ...figure, values: known(values) }];
}
