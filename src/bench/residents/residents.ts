import type { LoadSample } from '../../lab/app-messages.ts';
import type { AppVm } from '../../lab/app-vm.ts';
import { settled } from '../../lab/experiment/arms.ts';
import { databaseKinds } from '../../lab/experiment/databases.ts';
import { arrive, fillSource, goHome, untilAllIsFound } from '../../lab/experiment/move.ts';
import type { PoolMap } from '../../lab/experiment/pool-map.ts';
import type { MigrationEvidence } from '../../lab/experiment/result.ts';
import { pidsOf, replicas, Site, tableOf, vms } from '../../lab/experiment/site.ts';
import { Undisturbed } from '../../lab/experiment/undisturbed.ts';
import { dropOsCache } from '../../lab/os-cache.ts';
import { type LimitedPageCache, limitPageCache } from '../../lab/page-cache-limit.ts';
import { machineTime, sharesSince, worstShare } from '../../lab/processor-time.ts';
import { systemClock } from '../../lib/clock.ts';
import type { SuiteLab, SuiteOptions } from '../suite.ts';
import type { Watch } from './arms.ts';
import { DuringWatch } from './during-watch.ts';
import { countHeld, hotBlocks } from './hot-blocks.ts';
import { type ResidentsBench, type Seen, withDrift } from './result.ts';
import {
  fillStage,
  type PlannedRun,
  type ResidentsSettings,
  residentsSettings,
  runStage,
  runsOf,
} from './settings.ts';

/** Runs every arm, interleaved, on one site. */
export async function runResidents(
  options: SuiteOptions,
  lab: Pick<SuiteLab, 'owned' | 'onStage' | 'onLogs'> & { readonly onRun: (soFar: ResidentsBench) => void },
): Promise<ResidentsBench> {
  const settings = residentsSettings(options);
  const { owned, onStage } = lab;
  const site = await Site.start({ ...settings, owned, onStage });
  try {
    onStage(fillStage(settings));
    site.resident.pause();
    const { target } = site;
    const pageCache = await limitPageCache({ owned, pids: pidsOf(target), disk: site.disk });
    const residents = await Promise.all(
      settings.residents.map(({ vm, clientCount, tps }) =>
        site.startVm(target, { vm, clientCount, maxTps: tps }),
      ),
    );
    await fillSource(site, settings.fillMs.mover);
    const place: Place = { site, settings, residents, pageCache };
    const seen: Seen[] = [];
    const undisturbed = new Undisturbed<Seen>(settings.tolerance);
    for (const planned of runsOf(settings)) {
      onStage(runStage(settings, planned));
      const once = async () => {
        await settle(place);
        return runOnce(place, planned);
      };
      seen.push(await undisturbed.run(once));
      lab.onRun(assemble(place, { seen, setAside: undisturbed.setAside }));
    }
    return assemble(place, { seen, setAside: undisturbed.setAside });
  } finally {
    lab.onLogs({ db1: site.agents.source.log(), db2: site.agents.target.log() });
    await site.close();
  }
}

interface Place {
  readonly site: Site;
  readonly settings: ResidentsSettings;
  /** In the order of the settings. */
  readonly residents: readonly AppVm[];
  readonly pageCache: LimitedPageCache;
}

/**
 * The target as it would be after weeks: no free buffer, what the residents read in the pool and hot, the rest full of
 * what nobody reads, and little page cache behind it.
 */
async function settle({ site, settings, residents, pageCache }: Place): Promise<void> {
  const { target } = site;
  pageCache.letGo();
  await goHome(site);
  await site.emptyTarget(pageCache);
  await target.bringIn(tableOf(settings.crowd));
  for (const { vm } of settings.residents) await target.fillPageCache(tableOf(vm));
  for (const vm of residents) vm.pace(undefined);
  const { residents: fillMs } = settings.fillMs;
  await systemClock.sleep(fillMs);
  await Promise.all(settings.residents.map(({ vm }) => untilAllIsFound(target, tableOf(vm), fillMs)));
  for (const [i, { tps }] of settings.residents.entries()) residents[i]?.pace(tps);
  await dropOsCache(target.dataDir);
  pageCache.hold(settings.pageCacheMb * 2 ** 20);
  await site.agents.target.answering(site.broker);
  await systemClock.sleep(settings.calmMs);
}

async function runOnce(place: Place, { arm, repetition }: PlannedRun): Promise<Seen> {
  const { site, settings, residents, pageCache } = place;
  const failedBefore = failedOf(place);
  const memory = pageCache.use();
  const firstSample = residents.map(({ samples }) => samples.length);
  let since = machineTime();
  const before = await measured(place, 'before', settings.beforeMs);
  const shares = [sharesSince(since)];
  const maps = { before: await mapOf(place) };
  // The walk of the pool was a resident's slow statement.
  await systemClock.sleep(1_500);
  const missed = [await missedOf(place)];
  const watch = new DuringWatch(residents);
  since = machineTime();
  const warming =
    arm.control === true
      ? await leaveAlone(watch, settings.undisturbedMs)
      : await arm.warm?.(site, watch, settings);
  const during = await watch.result();
  shares.push(sharesSince(since));
  missed.push(await missedOf(place));
  const warmed = await mapOf(place);
  const arrivedAtMs = arm.control === true ? undefined : await bringMover(site, warming?.evidence);
  const mover = arrivedAtMs === undefined ? undefined : measureMover(site, settings.afterMs);
  since = machineTime();
  const after = await measured(place, 'after', settings.afterMs);
  shares.push(sharesSince(since));
  missed.push(await missedOf(place));
  const end = await mapOf(place);
  const beganMs = watch.beganMs ?? arrivedAtMs ?? Date.now();
  const { hotHeat } = databaseKinds[settings.engine];
  const record = warming?.evidence?.record;
  if (record !== undefined) await settled(site, record.id);
  return {
    ...{ arm: arm.name, repetition, memory, mover: await mover },
    readyMs: warming?.readyMs,
    bytesRead: warming?.bytesRead,
    operationsRead: warming?.operationsRead,
    arrivedMs: arrivedAtMs === undefined ? undefined : arrivedAtMs - beganMs,
    failedQueries: failedOf(place) - failedBefore,
    stolenShare: worstShare(shares.map((one) => one?.stolen)),
    busyShare: { before: shares[0]?.busy, during: watch.busyShare },
    residents: residents.map((vm, i) => {
      const hot = hotBlocks(maps.before, { vm: vm.name, hotHeat });
      const lost = (map: PoolMap) => hot.length - countHeld(map, hot);
      const misses = missed.map((all) => all[i] ?? 0);
      return {
        ...{ vm: vm.name, before: before[i]!, during: during?.[i], after: after[i]! },
        hotBlocks: hot.length,
        lostBlocks: { warmed: lost(warmed), end: lost(end) },
        missedBlocks: { during: misses[1]! - misses[0]!, after: misses[2]! - misses[1]! },
        samples: vm.samples
          .slice(firstSample[i])
          .map((sample) => ({ ...sample, atMs: sample.atMs - beganMs })),
      };
    }),
    ...(record === undefined ? {} : { record }),
  };
}

/** The control: as long as a warming may take. */
async function leaveAlone(watch: Watch, ms: number): Promise<undefined> {
  watch.onBegin();
  await systemClock.sleep(ms);
  watch.onReady();
}

async function measured({ residents }: Place, name: string, forMs: number): Promise<readonly LoadSample[]> {
  for (const vm of residents) vm.measure([{ name, forMs }]);
  return Promise.all(residents.map((vm) => vm.measured(name)));
}

/** Gives when its connections took over. */
async function bringMover(site: Site, evidence: MigrationEvidence | undefined): Promise<number> {
  site.mover.pace(site.options.pace.after);
  const { atMs } = await site.route.through(() => arrive(site, { vm: vms.mover, evidence }), {
    replica: replicas.target,
  });
  return atMs;
}

async function measureMover({ mover }: Site, forMs: number): Promise<LoadSample> {
  mover.measure([{ name: 'after', forMs }]);
  return mover.measured('after');
}

function mapOf({ site, settings }: Place): Promise<PoolMap> {
  return site.target.map(settings.residents.map(({ vm }) => tableOf(vm)));
}

/** Blocks that each resident has not found in the pool until now. */
function missedOf({ site, settings }: Place): Promise<readonly number[]> {
  const { blockBytes } = databaseKinds[settings.engine];
  return Promise.all(
    settings.residents.map(async ({ vm }) => (await site.target.missedBytes(vm, tableOf(vm))) / blockBytes),
  );
}

function failedOf({ residents, site }: Place): number {
  return [...residents, site.mover].reduce((sum, vm) => sum + vm.failedQueries, 0);
}

function assemble(
  { site, settings, pageCache }: Place,
  { seen, setAside }: { readonly seen: readonly Seen[]; readonly setAside: readonly Seen[] },
): ResidentsBench {
  const { throttled, reason, device: id } = site.disk;
  return {
    ...{ settings, version: site.database.version, runs: withDrift(seen), setAside: [...setAside] },
    device: { throttled, ...(reason === undefined ? {} : { reason }), ...(id === undefined ? {} : { id }) },
    pageCache: {
      limited: pageCache.limited,
      ...(pageCache.reason === undefined ? {} : { reason: pageCache.reason }),
    },
  };
}
