import { placeOf } from '../../lab/experiment/databases.ts';
import { type SiteOptions, type Stage, startStages } from '../../lab/experiment/site.ts';
import type { Tolerance } from '../../lab/experiment/undisturbed.ts';
import { tolerance } from '../run-figures.ts';
import type { SuiteOptions } from '../suite.ts';
import { type Arm, armsOf, control } from './arms.ts';

/** An application that lives on the target. */
export interface Resident {
  readonly vm: string;
  readonly tableMb: number;
  readonly clientCount: number;
  /** Reads a second. */
  readonly tps: number;
}

export interface ResidentsSettings extends Omit<SiteOptions, 'owned' | 'onStage'> {
  readonly repetitions: number;
  readonly residents: readonly Resident[];
  /** Its table, which nobody reads, fills what the residents leave of the target's pool. */
  readonly crowd: string;
  /** Page cache of the target, in MB of 2^20 bytes. */
  readonly pageCacheMb: number;
  /** How long, at least, the mover fills its source, and the residents the target before each arm. */
  readonly fillMs: { readonly mover: number; readonly residents: number };
  /** Until the residents' pace is their usual one to the agents too. */
  readonly calmMs: number;
  readonly beforeMs: number;
  /** Of the control, which has no warming of its own. */
  readonly undisturbedMs: number;
  readonly mirrorMs: number;
  readonly afterMs: number;
  /** Of what the host may take from a run that counts; any where left out. */
  readonly tolerance?: Tolerance;
}

/**
 * A third of its table is what a resident reads: with keys, some 70 % of the pool for both. At a pace at which processors
 * are left: all servers and applications share these here, and what a full machine does to a p99 is not the warming's.
 */
export function residentsSettings(options: SuiteOptions): ResidentsSettings {
  const { engine, device, seed, quick, repetitions } = options;
  const [poolMb, tableMb, busyMb, calmMb] = quick ? [128, 150, 168, 76] : [512, 600, 660, 300];
  const residents: readonly Resident[] = [
    { vm: 'app4', tableMb: busyMb, clientCount: 4, tps: 500 },
    { vm: 'app5', tableMb: calmMb, clientCount: 2, tps: 200 },
  ];
  const crowd = 'app6';
  return {
    ...{ engine, device, seed, clientCount: 4, repetitions, poolMb, tableMb, residents, crowd },
    ...placeOf(engine),
    // The neighbours of every site have no part in it.
    ...{ neighbourTableMb: 4, pageCacheMb: quick ? 32 : 64, agentLogLevel: 'debug' },
    others: [...residents.map(({ vm, tableMb }) => ({ vm, tableMb })), { vm: crowd, tableMb: poolMb }],
    pace: { before: 300, after: 300 },
    agentSettings: { account: { window: '2s' } },
    ...(quick
      ? {
          ...{ fillMs: { mover: 3_000, residents: 3_000 }, calmMs: 3_000, beforeMs: 3_000 },
          ...{ undisturbedMs: 3_000, mirrorMs: 3_000, afterMs: 4_000 },
        }
      : {
          ...{ fillMs: { mover: 10_000, residents: 8_000 }, calmMs: 5_000, beforeMs: 8_000 },
          ...{ undisturbedMs: 8_000, mirrorMs: 10_000, afterMs: 10_000 },
          tolerance,
        }),
  };
}

/** One run of an arm. */
export interface PlannedRun {
  readonly arm: Arm;
  readonly repetition: number;
}

/** Each repetition begins with the control, and one more stands at the end. */
export function runsOf({
  engine,
  repetitions,
}: Pick<ResidentsSettings, 'engine' | 'repetitions'>): readonly PlannedRun[] {
  const all = Array.from({ length: repetitions }, (_, i) =>
    [control, ...armsOf(engine)].map((arm) => ({ arm, repetition: i + 1 })),
  ).flat();
  return [...all, { arm: control, repetition: repetitions + 1 }];
}

export function residentsStages(options: SuiteOptions): readonly Stage[] {
  const settings = residentsSettings(options);
  return [
    ...startStages(settings),
    fillStage(settings),
    ...runsOf(settings).map((run) => runStage(settings, run)),
  ];
}

export function fillStage({ fillMs }: ResidentsSettings): Stage {
  return { text: 'app1 fills the cache of its replica', expectedMs: fillMs.mover + 2_000 };
}

export function runStage(settings: ResidentsSettings, { arm, repetition }: PlannedRun): Stage {
  const { repetitions, poolMb, fillMs, calmMs, beforeMs, afterMs } = settings;
  const during = arm.control === true ? settings.undisturbedMs : arm.expectedMs(settings);
  return {
    text: `${arm.title} (${Math.min(repetition, repetitions)} of ${repetitions})`,
    expectedMs: 12_000 + 10 * poolMb + fillMs.residents + calmMs + beforeMs + during + afterMs,
  };
}
