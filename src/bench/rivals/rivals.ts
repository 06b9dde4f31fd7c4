import type { LoadSample } from '../../lab/app-messages.ts';
import { settled } from '../../lab/experiment/arms.ts';
import { databaseKinds } from '../../lab/experiment/databases.ts';
import { fillSource, runMove, type Warming } from '../../lab/experiment/move.ts';
import type { PoolMap } from '../../lab/experiment/pool-map.ts';
import type { Mark, MigrationEvidence } from '../../lab/experiment/result.ts';
import { floorMsOf } from '../../lab/experiment/run-experiment.ts';
import { Site, tables } from '../../lab/experiment/site.ts';
import { Undisturbed } from '../../lab/experiment/undisturbed.ts';
import { dropOsCache } from '../../lab/os-cache.ts';
import { type Control, type Drift, driftAt } from '../drift.ts';
import type { SuiteLab, SuiteOptions } from '../suite.ts';
import { type Blocks, type Worth, worthOf } from '../worth.ts';
import { armStage, fillStage, orderOf, type RivalsSettings, rivalsSettings } from './settings.ts';
import { touchOf } from './touched.ts';
import type { Way } from './way.ts';
import { waysOf } from './ways.ts';

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
    const touch = await touchOf(site);
    // What copying the files has left there is no cache of the VM's.
    await dropOsCache(site.source.dataDir);
    await fillSource(site, settings.fillMs);
    const left: { way: string; why: string }[] = [];
    for (const { name, missing, prepare } of waysOf(settings.engine)) {
      const why = await missing?.(site);
      if (why !== undefined) left.push({ way: name, why });
      else await prepare?.(site);
    }
    const seen: Seen[] = [];
    const undisturbed = new Undisturbed<Seen>(settings.tolerance);
    for (const { way, repetition } of orderOf(settings)) {
      onStage(armStage(settings, way, repetition));
      if (left.some((one) => one.way === way.name)) continue;
      const goOnce = async (): Promise<Seen> => ({
        ...{ way, repetition, ...(await goOneWay(site, settings, { way, seen, touch })) },
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
  { way, seen, touch }: { way: Way; seen: readonly Seen[]; touch: (rowBlocks: readonly number[]) => Blocks },
): Promise<Omit<Seen, 'way' | 'repetition'>> {
  const forewarmMs = seen.findLast((one) => one.way.subject)?.readyMs ?? 0;
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
  await way.restore?.(site);
  const idle = way.warm === undefined;
  return {
    readyMs: idle ? undefined : warming?.readyMs,
    bytesRead: idle ? undefined : warming?.bytesRead,
    operationsRead: idle ? undefined : warming?.operationsRead,
    worth: worthOf({ ...(warming?.maps ?? { before: [], after: [] }), touched: touch(move.touchedBlocks) }),
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
  const record = seen.findLast(({ way }) => way.subject)?.record;
  const { maxReadBytes } = databaseKinds[settings.engine];
  const device = { profile: settings.device, throttled };
  return {
    ...{ settings, left, runs, version: site.database.version },
    setAside: setAside.map(({ way, ...run }) => ({ ...run, way: way.name })),
    device: { throttled, ...(reason === undefined ? {} : { reason }), ...(id === undefined ? {} : { id }) },
    workSetBytes: record?.workSet?.bytes ?? 0,
    floorMs: record === undefined ? 0 : floorMsOf(device, { record }, maxReadBytes),
  };
}
