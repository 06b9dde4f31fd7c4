import { systemClock } from '../../lib/clock.ts';
import { wireVersion } from '../../messages/names.ts';
import type { LoadSample } from '../app-messages.ts';
import { machineTime, stolenSince, worstShare } from '../processor-time.ts';
import type { DatabaseServer } from './database.ts';
import type { Mark, MigrationEvidence } from './result.ts';
import type { Switched } from './route-follower.ts';
import { replicas, type Site, tableOf, vms } from './site.ts';

/** What is looked at before the switch, where nothing else is said. */
const usualLeadMs = 2_000;

/** From the moment at which the target is warm until the VM is there: no live migration is faster. */
const copyMs = 1_500;

/** What was done at the target before the move. */
export interface Warming {
  /** Until the target was ready, or until whoever warms it was done. */
  readonly readyMs: number;
  readonly bytesRead: number;
  /** Undefined where they cannot be counted. */
  readonly operationsRead: number | undefined;
  /** `atMs` as milliseconds since 1970. */
  readonly marks: readonly Mark[];
  readonly evidence?: MigrationEvidence;
}

export interface MoveOptions<W extends Warming> {
  /** How the target is found: with nothing in its caches, or warm from the mover's own reads. */
  readonly target: 'cold' | 'warm';
  readonly warm?: (site: Site) => Promise<W>;
  /** Stretches of time from the switch on, rising, in milliseconds. */
  readonly windowsMs: readonly number[];
  /** The VM reads at its source before anything is done; default 2 s. */
  readonly leadMs?: number;
}

/** A VM's move as it happened. */
export interface Move<W extends Warming> {
  readonly warming: W | undefined;
  /** One for each window. */
  readonly stretches: readonly LoadSample[];
  /** Of the moving VM, one every 100 ms; `atMs` counts from the switch. */
  readonly samples: readonly LoadSample[];
  readonly marks: readonly Mark[];
  /** Page cache of the target's files before its cold start; undefined where it is not known or was not dropped. */
  readonly osResidentBytes: number | undefined;
  readonly switchMs: number;
  /**
   * Part of the processors' time that the machine's host gave to others, 0 to 1: the greatest of that while the target
   * was warmed, in the first window, and in the last; undefined where it is not told.
   */
  readonly stolenShare: number | undefined;
  /** What the target read from its disk from the switch to the end of the last window. */
  readonly readAfterBytes: number;
  /** Blocks of its table that the VM read in the last window. */
  readonly touchedBlocks: readonly number[];
  readonly failedQueries: number;
}

/** Moves the VM once, after whatever `warm` does at the target, and measures what becomes of its reads. */
export async function runMove<W extends Warming>(site: Site, options: MoveOptions<W>): Promise<Move<W>> {
  const { windowsMs, target, warm, leadMs = usualLeadMs } = options;
  if (target === 'warm') await warmByLoad(site);
  await goHome(site);
  const osResidentBytes = target === 'warm' ? undefined : await site.coolTarget();
  site.mover.pace(site.options.pace.before);
  await systemClock.sleep(leadMs);
  const failedBefore = site.mover.failedQueries;
  const firstSample = site.mover.samples.length;
  if (target === 'warm' && warm === undefined) await systemClock.sleep(site.options.restMs ?? 0);
  const beforeWarming = machineTime();
  const warming = await warm?.(site);
  const stolen = [stolenSince(beforeWarming)];
  await systemClock.sleep(copyMs);
  const readsBefore = await site.targetReads();
  site.mover.pace(site.options.pace.after);
  const last = `first ${windowsMs.at(-1)} ms`;
  const measures = windowsMs.map((forMs) => {
    const name = `first ${forMs} ms`;
    return { name, forMs, touched: name === last };
  });
  const switched = await site.route.through(
    () => arrive(site, { vm: vms.mover, evidence: warming?.evidence }),
    {
      replica: replicas.target,
      measures,
    },
  );
  const beforeWindows = machineTime();
  const stretches: LoadSample[] = [];
  for (const { name } of measures) {
    stretches.push(await site.mover.measured(name));
    stolen.push(stolenSince(beforeWindows));
  }
  const readAfterBytes = (await site.targetReads()).bytes - readsBefore.bytes;
  return {
    ...{ warming, stretches, osResidentBytes, readAfterBytes },
    samples: relativeTo(switched, site.mover.samples.slice(Math.max(0, firstSample - leadMs / 100))),
    marks: (warming?.marks ?? []).map(({ name, atMs }) => ({ name, atMs: atMs - switched.atMs })),
    switchMs: switched.switchMs,
    stolenShare: worstShare(stolen),
    touchedBlocks: await site.mover.touchedBlocks(last),
    failedQueries: site.mover.failedQueries - failedBefore,
  };
}

/** On a slow disk, where blocks cannot be brought in. */
const longestFillMs = 120_000;

/** Missing blocks within half a second below which an application is taken to have found its place. */
const settledBlocks = 8;

/**
 * As fast as it can, for `fillMs` at least and on to the moment at which it finds everything in the pool,
 * for twice as long at most: what the source has never read cannot be warmed.
 */
export async function fillSource(site: Site, fillMs: number): Promise<void> {
  site.mover.pace(undefined);
  await systemClock.sleep(fillMs);
  await untilAllIsFound(site.source, tableOf(vms.mover), fillMs);
}

/** Resolves when all that is read of a table is found in that server's pool, or after `limitMs`. */
export async function untilAllIsFound(server: DatabaseServer, table: string, limitMs: number): Promise<void> {
  const endMs = systemClock.monotonicMs() + limitMs;
  let before = await server.misses(table);
  for (let quiet = 0; quiet < 3 && systemClock.monotonicMs() < endMs; ) {
    await systemClock.sleep(500);
    const now = await server.misses(table);
    quiet = now - before < settledBlocks ? quiet + 1 : 0;
    before = now;
  }
}

/**
 * Lets the mover read at the target, as fast as it can, once that has what its pool at the source holds; where
 * blocks cannot be brought in, until all that it reads is found there. The page cache is filled first, for on a
 * slow disk that would take minutes.
 */
async function warmByLoad(site: Site): Promise<void> {
  const table = tableOf(vms.mover);
  await site.target.fillPageCache(table);
  const filled = await site.target.bringInAsAt(await site.source.map([table]));
  site.mover.pace(undefined);
  await go(site, replicas.target);
  await systemClock.sleep(2_000);
  if (!filled) await untilAllIsFound(site.target, table, longestFillMs);
}

/** The mover reads at the source again, at its rate there. */
export async function goHome(site: Site): Promise<void> {
  site.mover.pace(site.options.pace.before);
  await go(site, replicas.source);
}

async function go(site: Site, replica: string): Promise<void> {
  await site.route.through(() => site.broker.routes.set(vms.mover, { replica }), { replica });
}

/** Without a migration the route is set by hand; with one, the target's agent does it on arrival. */
export async function arrive(
  site: Site,
  { vm, evidence }: { readonly vm: string; readonly evidence: MigrationEvidence | undefined },
): Promise<void> {
  if (evidence === undefined) {
    await site.broker.routes.set(vm, { replica: replicas.target });
    return;
  }
  await site.broker.publishOutcome(replicas.target, {
    ...{ v: wireVersion, kind: 'arrived', id: evidence.record.id },
    at: new Date().toISOString(),
  });
}

function relativeTo({ atMs }: Switched, samples: readonly LoadSample[]): LoadSample[] {
  return samples.map((sample) => ({ ...sample, atMs: sample.atMs - atMs }));
}
