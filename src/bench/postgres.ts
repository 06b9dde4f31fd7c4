import { benchTableMb } from '../lab/app-data.ts';
import type { DiskProfile } from '../lab/disk-profiles.ts';
import {
  type Experiment,
  type ExperimentOptions,
  runExperiment,
  stagesOf,
} from '../lab/experiment/run-experiment.ts';
import type { Stage } from '../lab/experiment/site.ts';
import { tolerance } from './run-figures.ts';
import { measureSourceCost, type SourceCost } from './source-cost.ts';
import type { SuiteLab } from './suite.ts';

export interface PostgresBenchOptions {
  readonly device: DiskProfile;
  /** One repetition on a third of the data: to see that it works, not for figures. */
  readonly quick: boolean;
  readonly seed: number;
  readonly repetitions: number;
}

export interface PostgresBench {
  readonly settings: Omit<ExperimentOptions, 'owned' | 'onStage' | 'onArm'>;
  readonly experiment: Experiment;
  /** Undefined as long as it was not measured. */
  readonly sourceCost?: SourceCost;
}

/** A cold replica is so far from a warm one that a few moves tell how far; the others differ less than moves do. */
const coldRepetitions = 3;

/** The data of the published figures: a 919 MB table with a key of 86 MB, a pool of 512 MB. */
export function benchSettings(options: PostgresBenchOptions): PostgresBench['settings'] {
  const { device, quick, seed, repetitions } = options;
  return {
    ...{ engine: 'postgres', device, seed, clientCount: 8, neighbourTableMb: 48, agentLogLevel: 'debug' },
    // As installed, for what watching costs.
    agentSettings: { observe: { interval: '1s', collect: '10s' } },
    // Held back before the switch, for the source, the application and the target, on hosts of their own
    // elsewhere, share their processors here. Free after it.
    pace: { before: 400 },
    restMs: 8_000,
    ...(quick
      ? { poolMb: 256, tableMb: 320, fillMs: 7_000, repetitions: 1 }
      : { poolMb: 512, tableMb: benchTableMb, fillMs: 60_000, repetitions, coldRepetitions, tolerance }),
  };
}

const costWindows = {
  full: { pairs: 40, windowMs: 1_000, stretchMs: 60_000, tolerance: { ...tolerance, again: 40 } },
  quick: { pairs: 4, windowMs: 2_500, stretchMs: 5_000 },
};

/** What will be done, for a progress view. */
export function benchStages(options: PostgresBenchOptions): readonly Stage[] {
  return [...stagesOf(benchSettings(options)), costStage(options)];
}

function costStage({ quick }: PostgresBenchOptions): Stage {
  const { pairs, windowMs, stretchMs } = quick ? costWindows.quick : costWindows.full;
  const expectedMs = stretchMs + pairs * (2 * windowMs + 500);
  return { text: 'what watching and serving cost the source', expectedMs };
}

/** Runs the arms, interleaved, then the source's cost on the same site. `onLogs` gets the agents' logs. */
export async function runPostgresBench(
  options: PostgresBenchOptions,
  lab: Pick<SuiteLab, 'owned' | 'onStage' | 'onLogs'> & { readonly onRun: (soFar: PostgresBench) => void },
): Promise<PostgresBench> {
  const settings = benchSettings(options);
  let sourceCost: SourceCost | undefined;
  const { owned, onStage, onRun } = lab;
  const onArm = (soFar: Experiment) => onRun({ settings, experiment: soFar });
  const experiment = await runExperiment({ ...settings, owned, onStage, onArm }, async (site) => {
    onStage(costStage(options));
    sourceCost = await measureSourceCost(site, options.quick ? costWindows.quick : costWindows.full);
    lab.onLogs({ db1: site.agents.source.log(), db2: site.agents.target.log() });
  });
  if (sourceCost === undefined) throw new Error('the cost at the source was not measured');
  return { settings, experiment, sourceCost };
}
