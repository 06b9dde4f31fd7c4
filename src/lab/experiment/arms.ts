import { systemClock } from '../../lib/clock.ts';
import { ForewarmError } from '../../lib/errors.ts';
import { wireVersion } from '../../messages/names.ts';
import type { MigrationRecord } from '../../messages/record.ts';
import { isEnd } from '../../migration/transitions.ts';
import type { LoadSample } from '../app-messages.ts';
import { until } from '../run.ts';
import type { DatabaseServer } from './database.ts';
import { residentBlocksOf } from './pool-map.ts';
import type { ArmName, ArmRun, Mark, MigrationEvidence, Stretch } from './result.ts';
import type { Switched } from './route-follower.ts';
import { replicas, type Site, tableOf, tables, vms } from './site.ts';

const measures = [
  { name: 'first1s', forMs: 1_000 },
  { name: 'first10s', forMs: 10_000 },
];
/** What is looked at before the switch. */
const leadMs = 3_000;
const deadlineMs = 60_000;

/** Moves the VM once, in the way of that arm, and measures what becomes of its reads. */
export async function runArm(site: Site, name: ArmName): Promise<ArmRun> {
  await leaveTarget(site, name);
  const osResidentBytes = name === 'warm' ? undefined : await site.coolTarget();
  site.mover.pace(site.options.pace.before);
  await systemClock.sleep(leadMs);
  const failedBefore = site.mover.failedQueries;
  const firstSample = site.mover.samples.length;
  const warmed = name === 'forewarm' ? await warmAhead(site, { vm: vms.mover, tables }) : undefined;
  await systemClock.sleep(500);
  const readsBefore = await site.targetReads();
  site.mover.pace(site.options.pace.after);
  const switched = await site.route.through(() => arrive(site, warmed?.evidence.record), {
    replica: replicas.target,
    measures,
  });
  const first1s = stretchOf(await site.mover.measured('first1s'));
  const first10s = stretchOf(await site.mover.measured('first10s'));
  const readAfterBytes = (await site.targetReads()).bytes - readsBefore.bytes;
  if (warmed !== undefined) await settled(site, warmed.evidence.record.id);
  return {
    figures: {
      name,
      readyMs: warmed?.readyMs ?? 0,
      bytesRead: warmed?.bytesRead ?? 0,
      ...{ first1s, first10s, readAfterBytes },
      failedQueries: site.mover.failedQueries - failedBefore,
    },
    samples: relativeTo(switched, site.mover.samples.slice(Math.max(0, firstSample - leadMs / 100))),
    marks: (warmed?.marks ?? []).map(({ name: mark, atMs }) => ({ name: mark, atMs: atMs - switched.atMs })),
    osResidentBytes,
    switchMs: switched.switchMs,
    ...(warmed === undefined ? {} : { migration: warmed.evidence }),
  };
}

/** Missing blocks within half a second below which an application is taken to have found its place. */
const settledBlocks = 8;

/** Resolves when the mover finds all that it reads in that server's pool, or after `limitMs`. */
export async function untilAllIsFound(site: Site, server: DatabaseServer, limitMs: number): Promise<void> {
  const endMs = systemClock.monotonicMs() + limitMs;
  let before = await site.moverMisses(server);
  for (let quiet = 0; quiet < 3 && systemClock.monotonicMs() < endMs; ) {
    await systemClock.sleep(500);
    const now = await site.moverMisses(server);
    quiet = now - before < settledBlocks ? quiet + 1 : 0;
    before = now;
  }
}

/**
 * Lets the mover read at the target, as fast as it can, until all that it reads is in the pool there. The
 * page cache is filled first, for on a slow disk that would take minutes.
 */
async function warmByLoad(site: Site): Promise<void> {
  await site.target.fillPageCache(tableOf(vms.mover));
  site.mover.pace(undefined);
  await go(site, replicas.target);
  await systemClock.sleep(2_000);
  await untilAllIsFound(site, site.target, 30_000);
}

/** Back to the source; before the control arm the target is warm from the mover's own reads. */
async function leaveTarget(site: Site, name: ArmName): Promise<void> {
  if (name === 'warm') await warmByLoad(site);
  await goHome(site);
}

/** The mover reads at the source again, at its rate there. */
export async function goHome(site: Site): Promise<void> {
  site.mover.pace(site.options.pace.before);
  await go(site, replicas.source);
}

async function go(site: Site, replica: string): Promise<void> {
  await site.route.through(() => site.broker.routes.set(vms.mover, { replica }), { replica });
}

/** A VM's move that has come to ready. */
export interface Warmed {
  readonly evidence: MigrationEvidence;
  readonly readyMs: number;
  readonly bytesRead: number;
  /** `atMs` as milliseconds since 1970. */
  readonly marks: readonly Mark[];
}

/** Publishes the intent and waits for ready, as a hypervisor's hook would; the pools are looked at for these tables. */
export async function warmAhead(
  site: Site,
  { vm, tables: looked }: { readonly vm: string; readonly tables: readonly string[] },
): Promise<Warmed> {
  const { broker, target, source } = site;
  const id = `${vm}-${Date.now()}`;
  const [atSource, before] = await Promise.all([source.map(looked), target.map(looked)]);
  const strangerBefore = await target.reads(tableOf(vms.stayer));
  // To the agent the lab's walk of the pool is a resident's slow statement: it must have passed.
  await systemClock.sleep(1_500);
  const readsBefore = await site.targetReads();
  const publishedMs = Date.now();
  await broker.publishIntent({
    ...{ v: wireVersion, kind: 'intent', id, vm, target: replicas.target },
    deadline: new Date(publishedMs + deadlineMs).toISOString(),
    issuedAt: new Date(publishedMs).toISOString(),
    issuedBy: 'lab',
  });
  const record = await until(
    'the target to be ready',
    async () => {
      const found = (await broker.records.get(id))?.value;
      if (found === undefined) return undefined;
      if (found.readyAt !== undefined) return found;
      if (isEnd(found.state)) throw notReady(found);
      return undefined;
    },
    {
      timeoutMs: deadlineMs,
      everyMs: 10,
      hint: () => site.agents.target.log().trim().split('\n').slice(-5).join('\n'),
    },
  );
  const readsAfter = await site.targetReads();
  const after = await target.map(looked);
  const strangerAfter = await target.reads(tableOf(vms.stayer));
  const readyAtMs = Date.parse(record.readyAt ?? '');
  const counted = site.disk.counters() !== undefined;
  return {
    evidence: {
      record,
      maps: { source: atSource, before, after },
      operationsRead:
        readsAfter.operations === undefined
          ? undefined
          : readsAfter.operations - (readsBefore.operations ?? 0),
      strangerBlocks: {
        read: strangerAfter - strangerBefore,
        resident: residentBlocksOf(after, tableOf(vms.stayer)),
      },
    },
    readyMs: readyAtMs - publishedMs,
    bytesRead: counted ? readsAfter.bytes - readsBefore.bytes : (record.warmed?.bytesRead ?? 0),
    marks: [
      { name: 'intent', atMs: publishedMs },
      { name: 'ready', atMs: readyAtMs },
    ],
  };
}

function notReady(record: MigrationRecord): ForewarmError {
  const why = record.error?.message ?? record.reason ?? 'no reason was given';
  return new ForewarmError('lab_unavailable', `the migration is ${record.state} before it was ready: ${why}`);
}

/** Without a migration the route is set by hand; with one, the target's agent does it on arrival. */
async function arrive(site: Site, record: MigrationRecord | undefined): Promise<void> {
  if (record === undefined) {
    await site.broker.routes.set(vms.mover, { replica: replicas.target });
    return;
  }
  await site.broker.publishOutcome(replicas.target, {
    ...{ v: wireVersion, kind: 'arrived', id: record.id },
    at: new Date().toISOString(),
  });
}

/** Calls a move off, and waits for its end. */
export async function callOff(site: Site, { id }: MigrationRecord): Promise<void> {
  await site.broker.publishOutcome(replicas.target, {
    ...{ v: wireVersion, kind: 'aborted', id },
    at: new Date().toISOString(),
  });
  await settled(site, id);
}

/** A migration that still accounts for itself would disturb the next arm. */
async function settled(site: Site, id: string): Promise<void> {
  await until(
    'the migration to end',
    async () => {
      const found = (await site.broker.records.get(id))?.value;
      return found !== undefined && isEnd(found.state) ? true : undefined;
    },
    { timeoutMs: 30_000, everyMs: 100 },
  );
}

function stretchOf({ transactions, durationMs, p99Ms }: LoadSample): Stretch {
  return {
    tps: Math.round((transactions * 10_000) / durationMs) / 10,
    p99Ms: Math.round(p99Ms * 1000) / 1000,
  };
}

function relativeTo({ atMs }: Switched, samples: readonly LoadSample[]): LoadSample[] {
  return samples.map((sample) => ({ ...sample, atMs: sample.atMs - atMs }));
}
