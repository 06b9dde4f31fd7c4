import type { EngineKind } from '../engines/engine.ts';
import {
  type Experiment,
  type ExperimentOptions,
  runExperiment,
  stagesOf,
} from '../lab/experiment/run-experiment.ts';
import { replicas, type Site, type Stage, tableOf } from '../lab/experiment/site.ts';
import { systemClock } from '../lib/clock.ts';
import { type FullPoolRun, pagesOf, runFullPool } from './full-pool.ts';
import { type HotPartRun, type HotPlace, type HotVm, runHotPart } from './hot-part.ts';
import { tolerance } from './run-figures.ts';
import type { SuiteLab } from './suite.ts';

export interface MysqlBenchOptions {
  readonly engine: Exclude<EngineKind, 'postgres'>;
  /** One repetition on a third of the data: to see that it works, not for figures. */
  readonly quick: boolean;
  readonly seed: number;
  readonly repetitions: number;
}

export interface MysqlBench {
  readonly settings: Omit<ExperimentOptions, 'owned' | 'onStage' | 'onArm'>;
  /** Into an empty pool: cold, with Forewarm, always warm. */
  readonly experiment: Experiment;
  readonly fullPool: readonly FullPoolRun[];
  readonly hotPart: readonly HotPartRun[];
}

/** They read a small part of their tables; and these, never read as a whole otherwise, fill a pool. */
const hotVms: readonly { readonly vm: string; readonly place: HotPlace }[] = [
  { vm: 'app4', place: 'newest' },
  { vm: 'app5', place: 'middle' },
];
const hotShare = 0.07;

/** The data of the published figures: 456 MB of the mover's, and two tables that fill the rest of the pool by themselves. */
export function benchSettings(options: MysqlBenchOptions): MysqlBench['settings'] {
  const { engine, quick, seed, repetitions } = options;
  // Servers make a pool of whole chunks of 128 MB.
  const [poolMb, tableMb, otherMb] = quick ? [256, 150, 126] : [640, 456, 310];
  return {
    ...{ engine, seed, poolMb, tableMb, device: 'even', clientCount: 8, agentLogLevel: 'debug' },
    neighbourTableMb: quick ? 12 : 32,
    others: hotVms.map(({ vm }) => ({ vm, tableMb: otherMb })),
    // All of both tables is used: what is young there is hot.
    ...{ hotShare: 1, residentHotShare: 1 },
    // Held back before the switch, for source, application and target share their processors here. Free after it.
    pace: { before: 300 },
    restMs: 8_000,
    fillMs: quick ? 4_000 : 8_000,
    // The first second after a switch differs most from move to move, and a move takes little of the time.
    ...(quick
      ? { repetitions: 1 }
      : { repetitions: 2 * repetitions, coldRepetitions: repetitions, tolerance }),
  };
}

/** What will be done, for a progress view. */
export function benchStages(options: MysqlBenchOptions): readonly Stage[] {
  const settings = benchSettings(options);
  return [...stagesOf(settings), ...laterStages(options)];
}

function laterStages({ quick, repetitions }: MysqlBenchOptions): Stage[] {
  const count = quick ? 1 : repetitions;
  return Array.from({ length: count }, (_, i) => [
    { text: `warming into a full pool (${i + 1} of ${count})`, expectedMs: 28_000 },
    { text: `warming hot parts of tables (${i + 1} of ${count})`, expectedMs: 24_000 },
  ]).flat();
}

/** Runs all arms on one site. `onLogs` gets the agents' logs. */
export async function runMysqlBench(
  options: MysqlBenchOptions,
  lab: Pick<SuiteLab, 'owned' | 'onStage' | 'onLogs'> & { readonly onRun: (soFar: MysqlBench) => void },
): Promise<MysqlBench> {
  const settings = benchSettings(options);
  const fullPool: FullPoolRun[] = [];
  const hotPart: HotPartRun[] = [];
  const { owned, onStage } = lab;
  let soFar: Experiment | undefined;
  const tell = () => {
    if (soFar !== undefined) lab.onRun({ settings, experiment: soFar, fullPool, hotPart });
  };
  const onArm = (experiment: Experiment) => {
    soFar = experiment;
    tell();
  };
  const experiment = await runExperiment({ ...settings, owned, onStage, onArm }, async (site) => {
    try {
      const hot = await startHotVms(site);
      for (const [i, stage] of laterStages(options).entries()) {
        lab.onStage(stage);
        if (i % 2 === 0)
          fullPool.push(
            await runFullPool(
              site,
              hotVms.map(({ vm }) => tableOf(vm)),
            ),
          );
        else for (const one of hot) hotPart.push(await runHotPart(site, one));
        tell();
      }
    } finally {
      lab.onLogs({ db1: site.agents.source.log(), db2: site.agents.target.log() });
    }
  });
  return { settings, experiment, fullPool, hotPart };
}

/** They fill their part of the source's pool as fast as they can, then go on at leisure. */
async function startHotVms(site: Site): Promise<readonly HotVm[]> {
  const started = await Promise.all(
    hotVms.map(async ({ vm, place }) => {
      await site.broker.routes.set(vm, { replica: replicas.source });
      return site.startVm(site.source, { vm, clientCount: 2, hotShare, hotPlace: place });
    }),
  );
  await systemClock.sleep(5_000);
  for (const vm of started) vm.pace(200);
  // Until their statements are in the agent's profile.
  await systemClock.sleep(3_000);
  const map = await site.source.map(hotVms.map(({ vm }) => tableOf(vm)));
  return hotVms.map((one) => ({ ...one, needed: new Set(pagesOf(map, tableOf(one.vm)).keys()) }));
}
