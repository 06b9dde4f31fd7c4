import type { LoadSample } from '../../lab/app-messages.ts';
import { median } from '../../lab/experiment/run-experiment.ts';
import { type Goal, goal, measured } from '../goals.ts';
import type { Figure } from '../suite.ts';
import { type Arm, arms, control } from './arms.ts';
import type { ArmRun, ResidentRun, ResidentsBench } from './residents.ts';

type Runs = Pick<ResidentsBench, 'runs'>;

/** One arm over its repetitions. */
export interface ArmSummary {
  readonly arm: Arm;
  /** Those that may be compared: the control did not drift around them. */
  readonly runs: readonly ArmRun[];
  /** Those that may not. */
  readonly refused: number;
}

/** The control first, then in the order of a repetition. */
export function summarize({ runs }: Runs): readonly ArmSummary[] {
  return [control, ...arms].flatMap((arm) => {
    const own = runs.filter((run) => run.arm === arm.name);
    const comparable = own.filter(({ drift }) => drift.comparable);
    return own.length === 0 ? [] : [{ arm, runs: comparable, refused: own.length - comparable.length }];
  });
}

export function residentIn({ residents }: ArmRun, vm: string): ResidentRun | undefined {
  return residents.find((one) => one.vm === vm);
}

type Stretch = 'during' | 'after';

/**
 * A resident's p99 by what it has undisturbed: the mean of the controls before the run and behind it. Undefined where
 * that stretch was not measured.
 */
export function disturbance(
  { runs }: Runs,
  run: ArmRun,
  by: { readonly vm: string; readonly stretch: Stretch },
): number | undefined {
  const own = residentIn(run, by.vm)?.[by.stretch]?.p99Ms;
  const at = runs.indexOf(run);
  const isControl = ({ arm }: ArmRun, i: number) => arm === control.name && i !== at;
  const around = [
    runs.findLast((one, i) => i < at && isControl(one, i)),
    runs.find((one, i) => i > at && isControl(one, i)),
  ].flatMap((one) => (one === undefined ? [] : (residentIn(one, by.vm)?.[by.stretch]?.p99Ms ?? [])));
  if (own === undefined || around.length === 0) return undefined;
  return own / (around.reduce((sum, p99Ms) => sum + p99Ms, 0) / around.length);
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
  const own = summarize(bench).find(({ arm }) => arm.name === 'forewarm')?.runs ?? [];
  return measured(
    bench.settings.residents.flatMap(({ vm }) => [
      goal(`${vm}: p99 while warming ÷ undisturbed`, {
        limit: [0, 1.1],
        values: known(own.map((run) => disturbance(bench, run, { vm, stretch: 'during' }))),
        ...restlessness(bench, { vm, own }),
      }),
      goal(`${vm}: hot pages lost when warmed`, {
        ...{ limit: [0, 0], unit: 'blocks', always: true },
        values: known(own.map((run) => residentIn(run, vm)?.lostBlocks.warmed)),
      }),
    ]),
  );
}

/** The controls differ among themselves: no ratio to them is known better than that. */
function restlessness(
  { runs }: Runs,
  { vm, own }: { readonly vm: string; readonly own: readonly ArmRun[] },
): { readonly between?: readonly [number, number] } {
  const p99 = (some: readonly ArmRun[]) => known(some.map((run) => residentIn(run, vm)?.during?.p99Ms));
  const controls = p99(runs.filter(({ arm }) => arm === control.name));
  const warming = p99(own);
  if (controls.length < 2 || warming.length === 0) return {};
  const middle = median(warming);
  return { between: [middle / Math.max(...controls), middle / Math.min(...controls)] };
}

type Quantity<Of> = Pick<Figure, 'name' | 'unit' | 'better'> & {
  readonly of: (of: Of) => number | undefined;
};

const ofRuns: readonly Quantity<ArmRun>[] = [
  { name: 'time to ready', unit: 'ms', better: 'less', of: ({ readyMs }) => readyMs },
  { name: 'read to warm', unit: 'bytes', better: 'less', of: ({ bytesRead }) => bytesRead },
  { name: "app1's p99 after its arrival", unit: 'ms', better: 'less', of: ({ mover }) => mover?.p99Ms },
];

const ofResidents: readonly Quantity<ResidentRun>[] = [
  ...(['before', 'during', 'after'] as const).flatMap((stretch): Quantity<ResidentRun>[] => [
    { name: `p99 ${stretch}`, unit: 'ms', better: 'less', of: (one) => one[stretch]?.p99Ms },
    { name: `throughput ${stretch}`, unit: 'per second', better: 'more', of: (one) => tpsOf(one[stretch]) },
  ]),
  { name: 'hot pages lost when warmed', unit: 'count', better: 'less', of: (one) => one.lostBlocks.warmed },
  { name: 'hot pages lost at the end', unit: 'count', better: 'less', of: (one) => one.lostBlocks.end },
  { name: 'misses while warming', unit: 'count', better: 'less', of: (one) => one.missedBlocks.during },
  { name: 'misses after', unit: 'count', better: 'less', of: (one) => one.missedBlocks.after },
];

/** Every figure of every arm, a value for each repetition that may be compared. */
export function residentsFigures(bench: ResidentsBench): readonly Figure[] {
  return summarize(bench).flatMap(({ arm, runs }) => [
    ...ofRuns.flatMap(({ of, ...quantity }) => figureOf({ of: arm.name, ...quantity }, runs.map(of))),
    ...bench.settings.residents.flatMap(({ vm }) =>
      ofResidents.flatMap(({ of, ...quantity }) => {
        const own = runs.flatMap((run) => residentIn(run, vm) ?? []);
        return figureOf({ of: `${arm.name}, ${vm}`, ...quantity }, own.map(of));
      }),
    ),
  ]);
}

function figureOf(figure: Omit<Figure, 'values'>, values: readonly (number | undefined)[]): Figure[] {
  return known(values).length === 0 ? [] : [{ ...figure, values: known(values) }];
}
