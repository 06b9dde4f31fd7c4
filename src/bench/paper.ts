import type { AppVm } from '../lab/app-vm.ts';
import { type LimitedDisk, limitDisk } from '../lab/disk.ts';
import { settled } from '../lab/experiment/arms.ts';
import { placeOf } from '../lab/experiment/databases.ts';
import { RouteFollower } from '../lab/experiment/route-follower.ts';
import {
  pidsOf,
  replicas,
  restartCold,
  Site,
  type SiteOptions,
  type Stage,
  startStages,
  tableOf,
  type VmLoad,
} from '../lab/experiment/site.ts';
import type { Accelerator } from '../lab/live/guest.ts';
import type { GuestFleet } from '../lab/live/guest-fleet.ts';
import { requireLiveGuests } from '../lab/live/requirements.ts';
import { systemClock } from '../lib/clock.ts';
import { ForewarmError } from '../lib/errors.ts';
import { type DiskSample, DiskWatch } from './disk-watch.ts';
import { type Fleet, startProcesses } from './paper-fleet.ts';
import { guestsBeside, startGuests } from './paper-live.ts';
import { RowWriter } from './row-writer.ts';
import type { SuiteLab, SuiteOptions } from './suite.ts';

/** As in the paper's figure 4, and one more. */
export const patterns = {
  a: 'every cache cold',
  b: 'every cache warm',
  c: 'only the source warm',
  d: 'only the source warm, with Forewarm',
} as const;
export type Pattern = keyof typeof patterns;

export type PaperLoad = 'sequence' | 'application';

/** One panel: so many VMs under one load, which move at once. */
export interface PaperCase {
  readonly load: PaperLoad;
  readonly vmCount: 1 | 6;
}

export interface PaperSettings extends Omit<SiteOptions, 'owned' | 'onStage'> {
  readonly repetitions: number;
  readonly cases: readonly PaperCase[];
  readonly patterns: readonly Pattern[];
  /** VMs are guests, which QEMU migrates live; otherwise processes, whose migration is a stretch of time. */
  readonly live: boolean;
  /** All data of the one VM, and of the six together. */
  readonly dataMb: number;
  /** Under load before the migration begins, its own time, and what is looked at behind it. */
  readonly beforeMs: number;
  readonly migrationMs: number;
  readonly afterMs: number;
}

/** One VM's or server's value over time; `atMs` counts from the migration's begin. */
export interface Point {
  readonly atMs: number;
  readonly durationMs: number;
  readonly bytes: number;
}

export interface PaperRun extends PaperCase {
  readonly pattern: Pattern;
  readonly repetition: number;
  /** Bytes of the rows that each VM was given. */
  readonly read: readonly { readonly vm: string; readonly points: readonly Point[] }[];
  /** Bytes from each server's disk; empty where the machine does not count them. */
  readonly disks: { readonly source: readonly Point[]; readonly target: readonly Point[] };
  /** When the first VM's connections took over, and the last one's. */
  readonly switchedMs: readonly [number, number];
  /** Of the intents, where there were any: below 0 where the migration waits for ready. */
  readonly intentMs?: number;
  readonly readyMs?: number;
  /** How long each guest stood still, where there are guests. */
  readonly downtimesMs?: readonly number[];
  readonly failedQueries: number;
}

export interface PaperBench {
  readonly settings: PaperSettings;
  readonly version: string;
  readonly device: { readonly throttled: boolean; readonly reason?: string; readonly id?: string };
  /** What ran the guests' instructions, where there are guests. */
  readonly accelerator?: Accelerator;
  readonly runs: readonly PaperRun[];
}

const singleVm = 'app10';
const sixVms = ['app4', 'app5', 'app6', 'app7', 'app8', 'app9'];
/** 8 KiB of rows. */
const blockRows = 34;
const blockBytes = 8192;
/** The paper's: 16 KiB at a time with one VM, 8 KiB with six, 100 µs apart; so many a second at most. */
const mostTps = 10_000;
/** Of the application, in transactions a second of each VM: with one, with six. */
const wantedTps = { 1: 4_000, 6: 700 } as const;
const applicationRows = 20;
/** Blocks a read of a guest: an emulated processor makes few reads a second, and the disk shall have to work. */
const guestReadBlocks = 32;
const writesPerSecond = 20;

export function paperSettings(options: SuiteOptions): PaperSettings {
  const { engine, device, seed, quick, repetitions, live = false } = options;
  const dataMb = quick ? 90 : 300;
  const cases: readonly PaperCase[] = live
    ? [{ load: 'sequence', vmCount: 1 }]
    : [
        { load: 'sequence', vmCount: 1 },
        { load: 'sequence', vmCount: 6 },
        ...(quick ? [] : [{ load: 'application', vmCount: 1 } as const]),
        { load: 'application', vmCount: 6 },
      ];
  return {
    ...{ engine, device, seed, clientCount: 1, repetitions, cases, dataMb, live },
    patterns: live ? ['c', 'd'] : (Object.keys(patterns) as Pattern[]),
    // The three VMs of every site have no part in it.
    ...{ tableMb: 4, neighbourTableMb: 4, pace: { before: 1 }, agentLogLevel: 'debug' },
    others: [
      { vm: singleVm, tableMb: dataMb },
      ...sixVms.map((vm) => ({ vm, tableMb: Math.round(dataMb / sixVms.length) })),
    ],
    // Either of both sets of data, with its keys, and room for Forewarm's budget of 80 %.
    poolMb: Math.round(dataMb * 1.6),
    agentSettings: { account: { window: '2s' } },
    ...(quick
      ? { beforeMs: 3_000, migrationMs: 1_000, afterMs: 5_000 }
      : { beforeMs: 5_000, migrationMs: 3_000, afterMs: 12_000 }),
  };
}

export function paperStages(options: SuiteOptions): readonly Stage[] {
  const settings = paperSettings(options);
  return [...startStages(settings), ...runsOf(settings).map((run) => runStage(settings, run))];
}

export type Planned = PaperCase & { readonly pattern: Pattern; readonly repetition: number };

/** Interleaved: all patterns of all cases, then all over again. */
function runsOf(settings: PaperSettings): readonly Planned[] {
  const { cases, repetitions } = settings;
  return Array.from({ length: repetitions }, (_, i) =>
    cases.flatMap((one) => settings.patterns.map((pattern) => ({ ...one, pattern, repetition: i + 1 }))),
  ).flat();
}

function runStage(settings: PaperSettings, { load, vmCount, pattern }: Planned): Stage {
  const { beforeMs, migrationMs, afterMs, live } = settings;
  const what = live ? 'guest' : 'VM';
  return {
    text: `(${pattern}) ${patterns[pattern]}: ${vmCount} ${what}${vmCount === 1 ? '' : 's'}, ${load}`,
    expectedMs: beforeMs + migrationMs + afterMs + (pattern === 'd' ? 22_000 : 16_000) + (live ? 15_000 : 0),
  };
}

export async function runPaper(
  settings: PaperSettings,
  lab: Pick<SuiteLab, 'owned' | 'onStage' | 'onLogs'> & { readonly onRun: (soFar: PaperBench) => void },
): Promise<PaperBench> {
  const { owned, onStage } = lab;
  // Before minutes go by.
  if (settings.live) {
    if (settings.engine !== 'postgres')
      throw new ForewarmError('config_invalid', `guests reach PostgreSQL alone, not ${settings.engine}`, {
        hint: 'Leave out --live or --engine.',
      });
    await requireLiveGuests();
  }
  const site = await Site.start({ ...settings, owned, onStage });
  let guests: GuestFleet | undefined;
  try {
    if (settings.live) guests = await guestsBeside(site);
    site.mover.pause();
    const sourceDisk = await limitDisk({
      ...{ owned, profile: settings.device, pids: pidsOf(site.source), dir: site.source.dataDir },
    });
    const { throttled, reason, device: id } = site.disk;
    const runs: PaperRun[] = [];
    const bench: PaperBench = {
      ...{ settings, runs, version: site.database.version },
      ...(guests === undefined ? {} : { accelerator: guests.host.accelerator }),
      device: { throttled, ...(reason === undefined ? {} : { reason }), ...(id === undefined ? {} : { id }) },
    };
    for (const planned of runsOf(settings)) {
      onStage(runStage(settings, planned));
      runs.push(await runOnce(site, { settings, planned, sourceDisk, guests }));
      lab.onRun(bench);
    }
    return bench;
  } finally {
    lab.onLogs({ db1: site.agents.source.log(), db2: site.agents.target.log() });
    guests?.close();
    await site.close();
  }
}

async function runOnce(
  site: Site,
  by: {
    readonly settings: PaperSettings;
    readonly planned: Planned;
    readonly sourceDisk: LimitedDisk;
    readonly guests: GuestFleet | undefined;
  },
): Promise<PaperRun> {
  const { settings, planned, sourceDisk, guests } = by;
  const { load, vmCount, pattern, repetition } = planned;
  const names = vmCount === 1 ? [singleVm] : sixVms;
  await prepareCaches(site, { pattern, names, sourceDisk });
  const stop = new AbortController();
  const writer =
    load === 'application'
      ? await RowWriter.start(site.database.server('primary'), names.map(tableOf), writesPerSecond)
      : undefined;
  const loads = names.map((vm) => loadOf(planned, vm, settings));
  const fleet = await (guests === undefined ? startProcesses(site, loads) : startGuests(site, guests, loads));
  const disks = new DiskWatch({ source: sourceDisk, target: site.disk });
  try {
    const routes = await Promise.all(fleet.vms.map((vm) => follow(site, { fleet, vm, signal: stop.signal })));
    await systemClock.sleep(settings.beforeMs);
    const moved = await fleet.move(routes, { warm: pattern === 'd', migrationMs: settings.migrationMs });
    await systemClock.sleep(settings.afterMs);
    const readBytes = bytesOfRead(planned, settings.live);
    const { beginMs, intentMs, readyMs, downtimesMs } = moved;
    const relative = (points: readonly DiskSample[]) =>
      points.map((one) => ({ ...one, atMs: one.atMs - beginMs }));
    const switchedMs = moved.switched.map(({ atMs }) => atMs - beginMs);
    for (const id of moved.migrations) await settled(site, id);
    return {
      ...{ load, vmCount, pattern, repetition },
      read: fleet.vms.map((vm) => ({
        vm: vm.name,
        points: vm.samples.map(({ atMs, durationMs, transactions }) => ({
          ...{ atMs: atMs - beginMs, durationMs, bytes: transactions * readBytes },
        })),
      })),
      disks: { source: relative(disks.samples.source), target: relative(disks.samples.target) },
      switchedMs: [Math.min(...switchedMs), Math.max(...switchedMs)],
      ...(intentMs === undefined ? {} : { intentMs: intentMs - beginMs }),
      ...(readyMs === undefined ? {} : { readyMs: readyMs - beginMs }),
      ...(downtimesMs === undefined ? {} : { downtimesMs }),
      failedQueries: fleet.vms.reduce((sum, vm) => sum + vm.failedQueries, 0),
    };
  } finally {
    stop.abort();
    disks.stop();
    await writer?.stop();
    await Promise.all(fleet.vms.map((vm) => vm.stop()));
  }
}

/** Cold: server started anew, its files out of the page cache. Warm: every block of the VMs' tables in the pool. */
async function prepareCaches(
  site: Site,
  by: { readonly pattern: Pattern; readonly names: readonly string[]; readonly sourceDisk: LimitedDisk },
): Promise<void> {
  const { pattern, names, sourceDisk } = by;
  await restartCold(site.source, sourceDisk);
  await site.coolTarget();
  const warm = [...(pattern === 'a' ? [] : [site.source]), ...(pattern === 'b' ? [site.target] : [])];
  for (const server of warm) {
    for (const table of names.map(tableOf)) {
      await server.fillPageCache(table);
      await server.bringIn(table);
    }
  }
  await site.agents.source.answering(site.broker);
}

function loadOf({ load, vmCount }: PaperCase, vm: string, { live, engine }: PaperSettings): VmLoad {
  if (live) return { vm, clientCount: 1, sequential: true, readRowCount: guestReadBlocks * blockRows };
  return load === 'sequence'
    ? {
        ...{ vm, clientCount: 1, maxTps: mostTps, sequential: true },
        readRowCount: vmCount === 1 ? 2 * blockRows : blockRows,
      }
    : { vm, clientCount: 4, maxTps: wantedTps[vmCount], readRowCount: applicationRows, ...placeOf(engine) };
}

/** Bytes of the rows of one read. */
function bytesOfRead({ load, vmCount }: PaperCase, live: boolean): number {
  if (live) return guestReadBlocks * blockBytes;
  const rows = load === 'sequence' ? (vmCount === 1 ? 2 : 1) * blockRows : applicationRows;
  return (rows * blockBytes) / blockRows;
}

async function follow(
  site: Site,
  { fleet, vm, signal }: { readonly fleet: Fleet; readonly vm: AppVm; readonly signal: AbortSignal },
): Promise<RouteFollower> {
  const follower = new RouteFollower({ broker: site.broker, vm, dsnOf: fleet.dsnOf, signal });
  await follower.start(replicas.source);
  return follower;
}
