import { bandwidthOf, limitOf } from '../../lab/disk-profiles.ts';
import { callOff } from '../../lab/experiment/arms.ts';
import { databaseKinds, placeOf } from '../../lab/experiment/databases.ts';
import { untilAllIsFound } from '../../lab/experiment/move.ts';
import { replicas, type Site, type Stage, startStages, tableOf } from '../../lab/experiment/site.ts';
import { until } from '../../lab/run.ts';
import { systemClock } from '../../lib/clock.ts';
import { wireVersion } from '../../messages/names.ts';
import type { MigrationRecord } from '../../messages/record.ts';
import { isEnd } from '../../migration/transitions.ts';
import type { SuiteOptions } from '../suite.ts';
import { withSite } from './own-site.ts';
import type { SizeSettings } from './settings.ts';
import { type SiteLab, siteOptions } from './sized-moves.ts';

/** So many VMs moved to one cold target at the same moment, once. */
export interface ManyMove {
  readonly vms: number;
  readonly workSetBytes: number;
  /** When each was ready, in ms from the intents; rising. */
  readonly readyMs: readonly number[];
  /** All work sets' bytes by the disk's bandwidth; NaN without a limited disk. */
  readonly floorMs: number;
  readonly bytesRead: number;
  /** The least of them. */
  readonly residency: number;
  /** Migrations that ended before they were ready. */
  readonly failed: number;
}

/** The first three VMs are the site's own. */
const firstOther = 4;
const deadlineMs = 60_000;
const tablePerWorkSet = 3;
/** How many are filled at the same time: each is a process. */
const fillingAtOnce = 2;

function siteSizes({ vmCounts, vmWorkSetMb }: SizeSettings) {
  const count = Math.max(...vmCounts);
  const tableMb = vmWorkSetMb * tablePerWorkSet;
  return {
    ...{ poolMb: Math.max(128, Math.ceil(count * vmWorkSetMb * 1.5)), tableMb: 16, neighbourTableMb: 16 },
    others: Array.from({ length: count }, (_, i) => ({ vm: `app${firstOther + i}`, tableMb })),
  };
}

export function manyStages(settings: SizeSettings, { engine, repetitions }: SuiteOptions): readonly Stage[] {
  return [
    ...startStages({ engine, ...siteSizes(settings) }),
    fillStage(settings),
    ...moveStages(settings, repetitions),
  ];
}

function fillStage({ vmCounts, vmWorkSetMb }: SizeSettings): Stage {
  const count = Math.max(...vmCounts);
  return {
    text: `${count} VMs fill the source's pool`,
    expectedMs: (count / fillingAtOnce) * (2_500 + 20 * vmWorkSetMb),
  };
}

function moveStages({ vmCounts, vmWorkSetMb }: SizeSettings, repetitions: number): readonly Stage[] {
  return vmCounts.map((count) => ({
    text: count === 1 ? '1 VM moves alone' : `${count} VMs move to one target at once`,
    expectedMs: repetitions * (5_000 + count * vmWorkSetMb * 12),
  }));
}

/** Moves 1, 2, … VMs to one target at once; each work set is as large as the others. */
export async function measureManyVms(
  settings: SizeSettings,
  options: SuiteOptions,
  lab: SiteLab & { readonly onMove: (move: ManyMove) => void },
): Promise<void> {
  const sizes = siteSizes(settings);
  await withSite({ ...siteOptions(options, lab), ...sizes, onVersion: lab.onVersion }, async (site) => {
    lab.onStage(fillStage(settings));
    const names = sizes.others.map(({ vm }) => vm);
    await fillAll(site, names);
    for (const [i, count] of settings.vmCounts.entries()) {
      lab.onStage(moveStages(settings, options.repetitions)[i]!);
      for (let repetition = 0; repetition < options.repetitions; repetition++)
        lab.onMove(await moveAtOnce(site, names.slice(0, count), options));
    }
  });
}

async function fillAll(site: Site, names: readonly string[]): Promise<void> {
  const waiting = [...names];
  const fill = async () => {
    for (let vm = waiting.shift(); vm !== undefined; vm = waiting.shift()) {
      const app = await site.startVm(site.source, { vm, clientCount: 2, ...placeOf(site.options.engine) });
      await systemClock.sleep(1_500);
      await untilAllIsFound(site.source, tableOf(vm), 20_000);
      await app.stop();
    }
  };
  await Promise.all(Array.from({ length: fillingAtOnce }, fill));
}

async function moveAtOnce(site: Site, names: readonly string[], options: SuiteOptions): Promise<ManyMove> {
  await site.coolTarget();
  const { broker } = site;
  const before = await site.targetReads();
  const publishedMs = Date.now();
  const ids = names.map((vm) => `${vm}-${publishedMs}`);
  await Promise.all(
    names.map((vm, i) =>
      broker.publishIntent({
        ...{
          v: wireVersion,
          kind: 'intent',
          id: ids[i]!,
          vm,
          source: replicas.source,
          target: replicas.target,
        },
        deadline: new Date(publishedMs + deadlineMs).toISOString(),
        ...{ issuedAt: new Date(publishedMs).toISOString(), issuedBy: 'bench' },
      }),
    ),
  );
  const records = await until(
    'all VMs to be ready',
    async () => {
      const found = await Promise.all(ids.map(async (id) => (await broker.records.get(id))?.value));
      const settled = found.every(
        (one) => one !== undefined && (one.readyAt !== undefined || isEnd(one.state)),
      );
      return settled ? (found as MigrationRecord[]) : undefined;
    },
    { timeoutMs: deadlineMs, everyMs: 20 },
  );
  const after = await site.targetReads();
  for (const record of records) await callOff(site, record);
  const limit = site.disk.throttled ? limitOf(options.device) : undefined;
  const { maxReadBytes } = databaseKinds[options.engine];
  return describe(records, {
    publishedMs,
    bytesRead: after.bytes - before.bytes,
    bytesPerSecond: limit === undefined ? undefined : bandwidthOf(limit, maxReadBytes),
  });
}

export function describe(
  records: readonly Pick<MigrationRecord, 'readyAt' | 'workSet' | 'residency'>[],
  seen: {
    readonly publishedMs: number;
    readonly bytesRead: number;
    readonly bytesPerSecond: number | undefined;
  },
): ManyMove {
  const workSetBytes = records.reduce((sum, { workSet }) => sum + (workSet?.bytes ?? 0), 0);
  const readyMs = records
    .flatMap(({ readyAt }) => (readyAt === undefined ? [] : [Date.parse(readyAt) - seen.publishedMs]))
    .sort((a, b) => a - b);
  return {
    vms: records.length,
    ...{ workSetBytes, readyMs, bytesRead: seen.bytesRead },
    floorMs: seen.bytesPerSecond === undefined ? Number.NaN : (workSetBytes / seen.bytesPerSecond) * 1_000,
    residency: Math.min(...records.map(({ residency }) => residency ?? 0)),
    failed: records.length - readyMs.length,
  };
}
