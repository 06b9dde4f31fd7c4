import { bandwidthOf, type DiskProfile, limitOf } from '../disk-profiles.ts';
import { runArm } from './arms.ts';
import type { DatabaseKind } from './database.ts';
import { databaseKinds } from './databases.ts';
import { fillSource } from './move.ts';
import type { ArmFigures, ArmName, ArmRun, DemoDocument, MigrationEvidence } from './result.ts';
import { Site, type SiteOptions, type Stage, startStages } from './site.ts';
import { type Tolerance, Undisturbed } from './undisturbed.ts';

/**
 * The arms of one repetition, from 0. After the cold arm the target is nearly warm already, as the control needs it; the
 * two that are held against each other take turns, for a machine may be faster after the cold arm, in which it rests.
 */
const armsOf = (repetition: number, cold: boolean): readonly ArmName[] => [
  ...(cold ? (['cold'] as const) : []),
  ...(repetition % 2 === 0 ? (['warm', 'forewarm'] as const) : (['forewarm', 'warm'] as const)),
];

const armStages: Readonly<Record<ArmName, Stage>> = {
  cold: { text: 'moving app1 without Forewarm, to a cold replica', expectedMs: 18_000 },
  warm: { text: 'moving app1 to a replica that served it all along', expectedMs: 16_000 },
  forewarm: { text: 'moving app1 with Forewarm: intent, warming, ready, arrival', expectedMs: 24_000 },
};

export interface ExperimentOptions extends SiteOptions {
  readonly repetitions: number;
  /** How many of the repetitions, from the first on, have a cold arm; all where left out. What the others measure of each other is close. */
  readonly coldRepetitions?: number;
  /** How long the mover fills the source's pool before the first arm. */
  readonly fillMs: number;
  /** How long the reads after a switch are looked at; default 10 s, which `first10s` is named after. */
  readonly lookMs?: number;
  /** Of what the host may take from a move that counts; any where left out. */
  readonly tolerance?: Tolerance;
  /** Takes what was seen until then, after each arm. */
  readonly onArm?: (soFar: Experiment) => void;
}

/** Everything that was seen, arm by arm in the order of time. */
export interface Experiment {
  readonly document: DemoDocument;
  readonly runs: readonly ArmRun[];
  /** Moves that were made again, for the machine's host was busy with others. They count for nothing. */
  readonly setAside: readonly ArmRun[];
  readonly device: { readonly throttled: boolean; readonly reason?: string; readonly id?: string };
  readonly database: Pick<DatabaseKind, 'title' | 'heat' | 'maxReadBytes'> & { readonly version: string };
}

/** All that is done, in order. */
export function stagesOf(options: Omit<ExperimentOptions, 'owned' | 'onStage'>): readonly Stage[] {
  return [...startStages(options), fillStage(options), ...movesOf(options).map(({ stage }) => stage)];
}

const fillStage = ({ fillMs }: Pick<ExperimentOptions, 'fillMs'>): Stage => ({
  text: 'app1 fills the cache of its replica',
  expectedMs: fillMs,
});

function movesOf({
  repetitions,
  coldRepetitions = repetitions,
  restMs = 0,
}: Pick<ExperimentOptions, 'repetitions' | 'coldRepetitions' | 'restMs'>) {
  return Array.from({ length: repetitions }, (_, i) => {
    const which = repetitions === 1 ? '' : ` (${i + 1} of ${repetitions})`;
    return armsOf(i, i < coldRepetitions).map((name) => {
      const { text, expectedMs } = armStages[name];
      return {
        name,
        stage: { text: text + which, expectedMs: expectedMs + (name === 'warm' ? restMs : 0) },
      };
    });
  }).flat();
}

/** Starts a site and runs the three arms, interleaved; `onSite` may look at it before it is gone. */
export async function runExperiment(
  options: ExperimentOptions,
  onSite: (site: Site) => Promise<void> = async () => {},
): Promise<Experiment> {
  const site = await Site.start(options);
  try {
    options.onStage(fillStage(options));
    await fillSource(site, options.fillMs);
    const runs: ArmRun[] = [];
    const undisturbed = new Undisturbed<ArmRun>(options.tolerance);
    const soFar = () => assemble(site, { runs: [...runs], setAside: [...undisturbed.setAside] });
    for (const { name, stage } of movesOf(options)) {
      options.onStage(stage);
      runs.push(await undisturbed.run(() => runArm(site, name, options.lookMs)));
      options.onArm?.(soFar());
    }
    await onSite(site);
    return soFar();
  } finally {
    await site.close();
  }
}

/** The migration whose work set the document tells: the last one. */
export function lastMigration(runs: readonly ArmRun[]): MigrationEvidence | undefined {
  return runs.findLast((run) => run.migration !== undefined)?.migration;
}

/**
 * The fastest that the work set's bytes can be had, in ms: by the profile's bandwidth where the disk is held
 * to it, as far as reads of at most `maxReadBytes` can use it, else by the bandwidth that the agent learned.
 */
export function floorMsOf(
  device: { readonly profile: DiskProfile; readonly throttled: boolean },
  migration: Pick<MigrationEvidence, 'record'> | undefined,
  maxReadBytes?: number,
): number {
  const bytes = migration?.record.workSet?.bytes ?? 0;
  const limit = device.throttled ? limitOf(device.profile) : undefined;
  const bytesPerSecond =
    limit === undefined ? migration?.record.device?.bytesPerSecond : bandwidthOf(limit, maxReadBytes);
  return bytesPerSecond === undefined ? 0 : Math.round((bytes / bytesPerSecond) * 1000);
}

function assemble(site: Site, { runs, setAside }: Pick<Experiment, 'runs' | 'setAside'>): Experiment {
  const { device, engine } = site.options;
  const { title, heat, maxReadBytes } = databaseKinds[engine];
  const { throttled, reason, device: id } = site.disk;
  const workSet = lastMigration(runs)?.record.workSet;
  const floorMs = floorMsOf({ profile: device, throttled }, lastMigration(runs), maxReadBytes);
  const byName: ArmName[] = ['cold', 'forewarm', 'warm'];
  return {
    document: {
      device: { profile: device, throttled },
      workSet: { blocks: workSet?.blocks ?? 0, bytes: workSet?.bytes ?? 0 },
      arms: byName.flatMap((name) => {
        const own = runs.filter(({ figures }) => figures.name === name);
        return own.length === 0 ? [] : [medianFigures(own, floorMs)];
      }),
    },
    ...{ runs, setAside },
    device: { throttled, ...(reason === undefined ? {} : { reason }), ...(id === undefined ? {} : { id }) },
    database: {
      ...{ title, heat, version: site.database.version },
      ...(maxReadBytes === undefined ? {} : { maxReadBytes }),
    },
  };
}

/** Each figure's median over the repetitions of one arm; failed reads are added up. */
export function medianFigures(runs: readonly ArmRun[], floorMs: number): ArmFigures {
  const [first] = runs;
  if (first === undefined) throw new Error('an arm without a run has no figures');
  const of = (pick: (figures: ArmRun['figures']) => number) =>
    median(runs.map(({ figures }) => pick(figures)));
  return {
    name: first.figures.name,
    readyMs: of(({ readyMs }) => readyMs),
    bytesRead: of(({ bytesRead }) => bytesRead),
    floorMs,
    first1s: { tps: of(({ first1s }) => first1s.tps), p99Ms: of(({ first1s }) => first1s.p99Ms) },
    first10s: { tps: of(({ first10s }) => first10s.tps), p99Ms: of(({ first10s }) => first10s.p99Ms) },
    readAfterBytes: of(({ readAfterBytes }) => readAfterBytes),
    failedQueries: runs.reduce((sum, { figures }) => sum + figures.failedQueries, 0),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
