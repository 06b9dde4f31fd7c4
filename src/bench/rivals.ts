import { benchTableMb } from '../lab/app-data.ts';
import type { LoadSample } from '../lab/app-messages.ts';
import { settled } from '../lab/experiment/arms.ts';
import { fillSource, runMove, type Warming } from '../lab/experiment/move.ts';
import type { PoolMap } from '../lab/experiment/pool-map.ts';
import { postgresOf } from '../lab/experiment/postgres-database.ts';
import type { Mark, MigrationEvidence } from '../lab/experiment/result.ts';
import { floorMsOf } from '../lab/experiment/run-experiment.ts';
import {
  Site,
  type SiteOptions,
  type Stage,
  startStages,
  tableOf,
  tables,
  vms,
} from '../lab/experiment/site.ts';
import { type Tolerance, Undisturbed } from '../lab/experiment/undisturbed.ts';
import { dropOsCache } from '../lab/os-cache.ts';
import { type Control, type Drift, driftAt } from './drift.ts';
import { type IndexPage, indexPagesOf, touchedPages } from './index-leaves.ts';
import { control, logSamples, restoreSourceAgent, type Way, ways } from './rival-ways.ts';
import { tolerance } from './run-figures.ts';
import type { SuiteLab, SuiteOptions } from './suite.ts';
import { type Worth, worthOf } from './worth.ts';

export interface RivalsSettings extends Omit<SiteOptions, 'owned' | 'onStage'> {
  readonly repetitions: number;
  readonly fillMs: number;
  readonly mirrorMs: number;
  readonly leadMs: number;
  /** Names of the ways, the control not among them. */
  readonly ways: readonly string[];
  /** Stretches of time from the switch on; in the last one is told which blocks were touched. */
  readonly windowsMs: readonly number[];
  /** Of what the host may take from a move that counts; any where left out. */
  readonly tolerance?: Tolerance;
}

/** One move after one way of warming. */
export interface RivalRun {
  readonly way: string;
  readonly repetition: number;
  /** Undefined where nobody warms. */
  readonly readyMs: number | undefined;
  readonly bytesRead: number | undefined;
  readonly operationsRead: number | undefined;
  readonly worth: Worth;
  /** One for each window. */
  readonly stretches: readonly LoadSample[];
  readonly readAfterBytes: number;
  readonly drift: Drift;
  readonly failedQueries: number;
  readonly osResidentBytes: number | undefined;
  readonly samples: readonly LoadSample[];
  readonly marks: readonly Mark[];
  /** Part of the processors' time that the machine's host gave to others, at its worst; undefined where it is not told. */
  readonly stolenShare: number | undefined;
  readonly record?: MigrationEvidence['record'];
}

export interface RivalsBench {
  readonly settings: RivalsSettings;
  readonly version: string;
  readonly device: { readonly throttled: boolean; readonly reason?: string; readonly id?: string };
  readonly runs: readonly RivalRun[];
  /** Moves that were made again, for the machine's host was busy with others. They count for nothing. */
  readonly setAside: readonly Omit<RivalRun, 'drift'>[];
  /** Ways that could not be gone here, and why. */
  readonly left: readonly { readonly way: string; readonly why: string }[];
  readonly workSetBytes: number;
  /** No warming can be faster; 0 where the disk is not limited. */
  readonly floorMs: number;
}

/** Least to be learned from. */
const notInQuick: ReadonlySet<string> = new Set(['sleep', 'select', 'mirror-1']);

export function rivalsSettings(options: SuiteOptions): RivalsSettings {
  const { device, seed, quick, repetitions } = options;
  const names = ways.map(({ name }) => name);
  return {
    ...{ engine: 'postgres', device, seed, clientCount: 8, repetitions, agentLogLevel: 'debug' },
    // Wanted, not as fast as it goes: what is not done of it is what the application lacks.
    pace: { before: 400, after: 5_000 },
    ...(quick
      ? {
          ...{
            poolMb: 128,
            tableMb: 200,
            neighbourTableMb: 12,
            fillMs: 3_000,
            mirrorMs: 2_000,
            leadMs: 1_000,
          },
          ways: names.filter((name) => !notInQuick.has(name)),
          ...{ windowsMs: [1_000, 4_000], agentSettings: { account: { window: '2s' } } },
        }
      : {
          ...{
            poolMb: 512,
            tableMb: benchTableMb,
            neighbourTableMb: 48,
            fillMs: 15_000,
            mirrorMs: 10_000,
            leadMs: 3_000,
          },
          ways: names,
          windowsMs: [1_000, 5_000, 10_000, 30_000],
          tolerance,
        }),
  };
}

export function rivalsStages(options: SuiteOptions): readonly Stage[] {
  const settings = rivalsSettings(options);
  return [...startStages(settings), fillStage(settings), ...armStages(settings)];
}

function fillStage({ fillMs }: RivalsSettings): Stage {
  return { text: 'app1 fills the cache of its replica', expectedMs: fillMs };
}

function armStages(settings: RivalsSettings): readonly Stage[] {
  return orderOf(settings).map(({ way, repetition }) => armStage(settings, way, repetition));
}

function armStage({ windowsMs, repetitions, leadMs }: RivalsSettings, way: Way, repetition: number): Stage {
  return {
    text: `${way.title} (${Math.min(repetition, repetitions)} of ${repetitions})`,
    expectedMs: 15_000 + leadMs + way.expectedMs + (windowsMs.at(-1) ?? 0),
  };
}

/** Each repetition begins with the control, and one more stands at the end. */
function orderOf({ repetitions, ways: names }: Pick<RivalsSettings, 'repetitions' | 'ways'>) {
  const oneRepetition = [control, ...ways.filter(({ name }) => names.includes(name))];
  const all = Array.from({ length: repetitions }, (_, i) =>
    oneRepetition.map((way) => ({ way, repetition: i + 1 })),
  ).flat();
  return [...all, { way: control, repetition: repetitions + 1 }];
}

/** Runs every way, interleaved, on one site. */
export async function runRivals(
  options: SuiteOptions,
  lab: Pick<SuiteLab, 'owned' | 'onStage' | 'onLogs'> & { readonly onRun: (soFar: RivalsBench) => void },
): Promise<RivalsBench> {
  const settings = rivalsSettings(options);
  const { owned, onStage } = lab;
  const site = await Site.start({ ...settings, owned, onStage });
  try {
    onStage(fillStage(settings));
    const primary = postgresOf(site.database.server('primary'));
    await primary.query('CREATE EXTENSION IF NOT EXISTS pageinspect');
    const pages = await indexPagesOf(primary, tableOf(vms.mover));
    // What copying the files has left there is no cache of the VM's.
    await dropOsCache(site.source.dataDir);
    await fillSource(site, settings.fillMs);
    await logSamples(postgresOf(site.source));
    const left: { way: string; why: string }[] = [];
    for (const { name, missing } of ways) {
      const why = await missing?.(site);
      if (why !== undefined) left.push({ way: name, why });
    }
    const seen: Seen[] = [];
    const undisturbed = new Undisturbed<Seen>(settings.tolerance);
    for (const { way, repetition } of orderOf(settings)) {
      onStage(armStage(settings, way, repetition));
      if (left.some((one) => one.way === way.name)) continue;
      const goOnce = async (): Promise<Seen> => ({
        ...{ way, repetition, ...(await goOneWay(site, settings, { way, seen, pages })) },
      });
      seen.push(await undisturbed.run(goOnce));
      lab.onRun(assemble(site, { settings, left, seen, setAside: undisturbed.setAside }));
    }
    return assemble(site, { settings, left, seen, setAside: undisturbed.setAside });
  } finally {
    lab.onLogs({ db1: site.agents.source.log(), db2: site.agents.target.log() });
    await site.close();
  }
}

/** A run before it is known how fast the machine was behind it. */
type Seen = { readonly way: Way; readonly repetition: number } & Omit<
  RivalRun,
  'way' | 'repetition' | 'drift'
>;

interface Watched extends Warming {
  readonly maps: { readonly before: PoolMap; readonly after: PoolMap };
}

async function goOneWay(
  site: Site,
  settings: RivalsSettings,
  { way, seen, pages }: { way: Way; seen: readonly Seen[]; pages: readonly IndexPage[] },
): Promise<Omit<Seen, 'way' | 'repetition'>> {
  const forewarmMs = seen.findLast(({ record }) => record !== undefined)?.readyMs ?? 0;
  const move = await runMove(site, {
    target: way.control === true ? 'warm' : 'cold',
    warm: () => watch(site, async () => way.warm?.({ site, mirrorMs: settings.mirrorMs, forewarmMs })),
    windowsMs: settings.windowsMs,
    leadMs: settings.leadMs,
  });
  const { warming, stretches, readAfterBytes, failedQueries, osResidentBytes, samples, marks, stolenShare } =
    move;
  const record = warming?.evidence?.record;
  if (record !== undefined) await settled(site, record.id);
  if (way.name === 'forewarm-relations') await restoreSourceAgent(site);
  const touched = new Map([
    [tableOf(vms.mover), new Set(move.touchedBlocks)],
    [`${tableOf(vms.mover)}_pkey`, touchedPages(pages, move.touchedBlocks)],
  ]);
  const idle = way.warm === undefined;
  return {
    readyMs: idle ? undefined : warming?.readyMs,
    bytesRead: idle ? undefined : warming?.bytesRead,
    operationsRead: idle ? undefined : warming?.operationsRead,
    worth: worthOf({ ...(warming?.maps ?? { before: [], after: [] }), touched }),
    ...{ stretches, readAfterBytes, failedQueries, osResidentBytes, samples, marks, stolenShare },
    ...(record === undefined ? {} : { record }),
  };
}

/** Pool, disk and clock before and after; what a way counts of itself holds. */
async function watch(site: Site, warm: () => Promise<Warming | undefined>): Promise<Watched> {
  const before = await site.target.map(tables);
  const reads = await site.targetReads();
  const startMs = Date.now();
  const own = await warm();
  const endMs = Date.now();
  const now = await site.targetReads();
  const after = await site.target.map(tables);
  const counted: Warming = own ?? {
    readyMs: endMs - startMs,
    bytesRead: now.bytes - reads.bytes,
    operationsRead: now.operations === undefined ? undefined : now.operations - (reads.operations ?? 0),
    marks: [{ name: 'ready', atMs: endMs }],
  };
  return { ...counted, maps: { before, after } };
}

function assemble(
  site: Site,
  {
    settings,
    left,
    seen,
    setAside,
  }: Pick<RivalsBench, 'settings' | 'left'> & {
    readonly seen: readonly Seen[];
    readonly setAside: readonly Seen[];
  },
): RivalsBench {
  const controls = seen.flatMap(({ way, stretches }, at): Control[] => {
    const whole = stretches.at(-1);
    if (way.control !== true || whole === undefined) return [];
    return [{ at, tps: (whole.transactions * 1000) / whole.durationMs, p50Ms: whole.p50Ms }];
  });
  const runs = seen.map(({ way, ...run }, at) => ({ ...run, way: way.name, drift: driftAt(controls, at) }));
  const { throttled, reason, device: id } = site.disk;
  const record = runs.findLast((run) => run.way === 'forewarm-blocks')?.record;
  return {
    ...{ settings, left, runs, version: site.database.version },
    setAside: setAside.map(({ way, ...run }) => ({ ...run, way: way.name })),
    device: { throttled, ...(reason === undefined ? {} : { reason }), ...(id === undefined ? {} : { id }) },
    workSetBytes: record?.workSet?.bytes ?? 0,
    floorMs: record === undefined ? 0 : floorMsOf({ profile: settings.device, throttled }, { record }),
  };
}
