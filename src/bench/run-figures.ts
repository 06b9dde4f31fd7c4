import type { ArmRun } from '../lab/experiment/result.ts';
import type { ExperimentOptions } from '../lab/experiment/run-experiment.ts';
import type { Tolerance } from '../lab/experiment/undisturbed.ts';
import type { Figure } from './suite.ts';

type Stolen = { readonly stolenShare?: number | undefined };

type Quantity = Pick<Figure, 'name' | 'unit' | 'better'> & { readonly of: (run: ArmRun) => number };

const quantities: readonly Quantity[] = [
  {
    name: 'first second: throughput',
    unit: 'per second',
    better: 'more',
    of: (run) => run.figures.first1s.tps,
  },
  { name: 'first second: p99', unit: 'ms', better: 'less', of: (run) => run.figures.first1s.p99Ms },
  {
    name: 'first 10 s: throughput',
    unit: 'per second',
    better: 'more',
    of: (run) => run.figures.first10s.tps,
  },
  { name: 'first 10 s: p99', unit: 'ms', better: 'less', of: (run) => run.figures.first10s.p99Ms },
  { name: 'read after the switch', unit: 'bytes', better: 'less', of: (run) => run.figures.readAfterBytes },
];
const ofMigrations: readonly Quantity[] = [
  { name: 'intent to ready', unit: 'ms', better: 'less', of: (run) => run.figures.readyMs },
  { name: 'read to warm', unit: 'bytes', better: 'less', of: (run) => run.figures.bytesRead },
];

/** What two runs of the demo's three arms can be compared by. */
export function figuresOfRuns(runs: readonly ArmRun[]): readonly Figure[] {
  const names = [...new Set(runs.map(({ figures }) => figures.name))];
  return names.flatMap((arm) => {
    const own = runs.filter(({ figures }) => figures.name === arm);
    return [...(arm === 'forewarm' ? ofMigrations : []), ...quantities].map(({ of, ...quantity }) => ({
      ...{ of: arm, ...quantity, values: own.map(of) },
    }));
  });
}

/** In words, for a report. */
export function describeRepetitions({
  repetitions,
  coldRepetitions = repetitions,
}: Pick<ExperimentOptions, 'repetitions' | 'coldRepetitions'>): string {
  return `${repetitions} repetitions${coldRepetitions < repetitions ? `, of the cold arm ${coldRepetitions}` : ''}`;
}

/** Of what the machine's host may give of the processors' time to others: beyond it a move tells of the host. */
export const tolerance: Tolerance = { stolenShare: 0.07, again: 12 };

/** How restless the machine was, in words; empty where that is not told. */
export function describeStolen({
  runs,
  setAside,
}: {
  readonly runs: readonly Stolen[];
  readonly setAside: readonly Stolen[];
}): string {
  const shares = runs.flatMap(({ stolenShare }) => stolenShare ?? []);
  if (shares.length === 0) return '';
  const [least, most] = [Math.min, Math.max].map((of) => (of(...shares) * 100).toFixed(1));
  const again =
    setAside.length === 0
      ? ''
      : ` ${setAside.length} more moves, in which it was over ${(tolerance.stolenShare * 100).toFixed(0)} %, were made again and count for nothing.`;
  return `While targets were warmed and looked at, the machine's host gave ${least} to ${most} % of the processors' time to others at its worst.${again}\n`;
}
