import { systemClock } from '../../lib/clock.ts';
import { ForewarmError } from '../../lib/errors.ts';
import { wireVersion } from '../../messages/names.ts';
import type { MigrationRecord } from '../../messages/record.ts';
import { isEnd } from '../../migration/transitions.ts';
import type { LoadSample } from '../app-messages.ts';
import { until } from '../run.ts';
import { runMove, type Warming } from './move.ts';
import { residentBlocksOf } from './pool-map.ts';
import type { ArmName, ArmRun, MigrationEvidence, Stretch } from './result.ts';
import { replicas, type Site, tableOf, tables, vms } from './site.ts';

const usualDeadlineMs = 60_000;

/** Moves the VM once, in the way of that arm, and measures what becomes of its reads. */
export async function runArm(site: Site, name: ArmName, lookMs = 10_000): Promise<ArmRun> {
  const move = await runMove(site, {
    target: name === 'warm' ? 'warm' : 'cold',
    ...(name === 'forewarm' ? { warm: () => warmAhead(site, { vm: vms.mover, tables }) } : {}),
    windowsMs: [1_000, lookMs],
  });
  const { warming, stretches, samples, marks, osResidentBytes, switchMs, stolenShare } = move;
  if (warming !== undefined) await settled(site, warming.evidence.record.id);
  return {
    figures: {
      name,
      readyMs: warming?.readyMs ?? 0,
      bytesRead: warming?.bytesRead ?? 0,
      first1s: stretchOf(stretches[0]),
      first10s: stretchOf(stretches[1]),
      readAfterBytes: move.readAfterBytes,
      failedQueries: move.failedQueries,
    },
    ...{ samples, marks, osResidentBytes, switchMs },
    ...(stolenShare === undefined ? {} : { stolenShare }),
    ...(warming === undefined ? {} : { migration: warming.evidence }),
  };
}

/** A VM's move that has come to ready. */
export interface Warmed extends Warming {
  readonly evidence: MigrationEvidence;
}

export interface WarmAheadOptions {
  readonly vm: string;
  /** Whose blocks are looked for in the pools before and after. */
  readonly tables: readonly string[];
  /** Time until the intent's deadline, which is how long ready is waited for. A minute where left out. */
  readonly deadlineMs?: number;
  /** Called when the intent is being published, and when the target is ready, before anything else is looked at. */
  readonly onBegin?: () => void;
  readonly onReady?: () => void;
}

/** Publishes the intent and waits for ready, as a hypervisor's hook would. */
export async function warmAhead(site: Site, options: WarmAheadOptions): Promise<Warmed> {
  const { vm, tables: looked, deadlineMs = usualDeadlineMs } = options;
  const { broker, target, source } = site;
  const id = `${vm}-${Date.now()}`;
  const [atSource, before] = await Promise.all([source.map(looked), target.map(looked)]);
  const strangerBefore = await target.reads(tableOf(vms.stayer));
  // To the agent the lab's walk of the pool is a resident's slow statement: it must have passed.
  await systemClock.sleep(1_500);
  const readsBefore = await site.targetReads();
  options.onBegin?.();
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
      everyMs: 50,
      hint: () => site.agents.target.log().trim().split('\n').slice(-5).join('\n'),
    },
  );
  options.onReady?.();
  const readsAfter = await site.targetReads();
  const after = await target.map(looked);
  const strangerAfter = await target.reads(tableOf(vms.stayer));
  const readyAtMs = Date.parse(record.readyAt ?? '');
  const counted = site.disk.counters() !== undefined;
  const operationsRead =
    readsAfter.operations === undefined ? undefined : readsAfter.operations - (readsBefore.operations ?? 0);
  return {
    operationsRead,
    evidence: {
      record,
      maps: { source: atSource, before, after },
      operationsRead,
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

/** Calls a move off, and waits for its end. */
export async function callOff(site: Site, { id }: MigrationRecord): Promise<void> {
  await site.broker.publishOutcome(replicas.target, {
    ...{ v: wireVersion, kind: 'aborted', id },
    at: new Date().toISOString(),
  });
  await settled(site, id);
}

/** A migration that still accounts for itself would disturb the next arm. */
export async function settled(site: Site, id: string): Promise<void> {
  await until(
    'the migration to end',
    async () => {
      const found = (await site.broker.records.get(id))?.value;
      return found !== undefined && isEnd(found.state) ? true : undefined;
    },
    { timeoutMs: 30_000, everyMs: 100 },
  );
}

function stretchOf(sample: LoadSample | undefined): Stretch {
  if (sample === undefined) throw new Error('a window was not measured');
  const { transactions, durationMs, p99Ms } = sample;
  return {
    tps: Math.round((transactions * 10_000) / durationMs) / 10,
    p99Ms: Math.round(p99Ms * 1000) / 1000,
  };
}
