import { availableParallelism } from 'node:os';
import { fetchWorkSetBytes } from '../broker/transfer.ts';
import { goHome } from '../lab/experiment/move.ts';
import { median } from '../lab/experiment/run-experiment.ts';
import { replicas, type Site, vms } from '../lab/experiment/site.ts';
import { type Tolerance, Undisturbed } from '../lab/experiment/undisturbed.ts';
import { machineTime, processorMs, stolenSince } from '../lab/processor-time.ts';
import { systemClock } from '../lib/clock.ts';

/** One stretch of time with the agent at work, one with it held still. */
export interface CostPair {
  readonly onTps: number;
  readonly offTps: number;
  readonly onP99Ms: number;
  readonly offP99Ms: number;
  /** Part of the processors' time that the machine's host gave to others, in the worse of the two. */
  readonly stolenShare: number;
}

/** What the agent costs the source's throughput, as seen by an application that reads as fast as it can. */
export interface SourceCost {
  /** Throughput of the same stretch of time, agent at work and agent held still. */
  readonly pairs: readonly CostPair[];
  /** Pairs that were measured again, for the machine's host was busy with others. They count for nothing. */
  readonly setAside: readonly CostPair[];
  /** 1 - on/off: the median of the pairs, and between what it lies with 95 % certainty. */
  readonly cost: number;
  readonly between: readonly [number, number];
  /** Processor time at work, in cores, in a stretch without a pause: the agent itself, and its sessions at the database. */
  readonly cpuCores: { readonly agent: number; readonly sessions: number };
  /** Of the machine. */
  readonly processors: number;
}

const pauseMs = 500;
/** A work set is served once in so long at work, as if a VM left this replica every minute. */
const serveEveryMs = 60_000;

/** How often the database is asked which sessions are the agent's: what one uses until then and ends is not counted. */
const sessionsEveryMs = 2_000;

export interface SourceCostOptions {
  readonly pairs: number;
  readonly windowMs: number;
  /** Of the stretch in which processor time is counted. */
  readonly stretchMs: number;
  /** Of what the host may take from a pair that counts; any where left out. */
  readonly tolerance?: Tolerance;
}

/**
 * A stretch with the source's agent at work (sampling, collecting, and serving a work set once) for what it takes of
 * the processors: after it was held still, it makes up for that. Then short windows, at work and held still, in the
 * order on-off-off-on, so that a drift of the machine falls on both.
 */
export async function measureSourceCost(site: Site, options: SourceCostOptions): Promise<SourceCost> {
  const { pairs: count, windowMs, stretchMs, tolerance } = options;
  const agent = site.agents.source;
  await goHome(site);
  site.mover.pace(undefined);
  await systemClock.sleep(2_000);
  const [cpuCores] = await Promise.all([coresAtWork(site, stretchMs), serveOnce(site)]);
  const serveEvery = Math.max(2, Math.round(serveEveryMs / windowMs));
  const pairs: CostPair[] = [];
  const on = async (): Promise<Window> => {
    const [seen] = await Promise.all([
      measureWindow(site, windowMs),
      ...(pairs.length % serveEvery === 0 ? [serveOnce(site)] : []),
    ]);
    return seen;
  };
  const off = async (): Promise<Window> => {
    agent.freeze();
    try {
      return await measureWindow(site, windowMs);
    } finally {
      agent.thaw();
      // What it could not do while it was held still is done before the next window.
      await systemClock.sleep(pauseMs);
    }
  };
  const undisturbed = new Undisturbed<CostPair>(tolerance);
  const measurePair = async (workFirst: boolean) => {
    const first = workFirst ? await on() : await off();
    const second = workFirst ? await off() : await on();
    return workFirst ? pairOf(first, second) : pairOf(second, first);
  };
  while (pairs.length < count) {
    const workFirst = pairs.length % 2 === 0;
    pairs.push(await undisturbed.run(() => measurePair(workFirst)));
  }
  const costs = pairs.map(({ onTps, offTps }) => 1 - onTps / offTps);
  return {
    ...{ pairs, setAside: undisturbed.setAside },
    cost: median(costs),
    between: medianInterval(costs),
    processors: availableParallelism(),
    cpuCores,
  };
}

/** What the agent and its sessions take while it is at work, in cores. */
async function coresAtWork({ source, agents }: Site, forMs: number): Promise<SourceCost['cpuCores']> {
  const agentStat = `/proc/${agents.source.pid}/stat`;
  const startMs = systemClock.monotonicMs();
  const before = { agent: processorMs(agentStat), sessions: await sessionsMs(source) };
  const newest = new Map(before.sessions);
  while (systemClock.monotonicMs() < startMs + forMs) {
    await systemClock.sleep(Math.min(sessionsEveryMs, forMs));
    for (const [stat, ms] of await sessionsMs(source)) newest.set(stat, ms);
  }
  const elapsedMs = systemClock.monotonicMs() - startMs;
  const used = [...newest].map(([stat, ms]) => ms - (before.sessions.get(stat) ?? 0));
  return {
    agent: (processorMs(agentStat) - before.agent) / elapsedMs,
    sessions: sumOf(used) / elapsedMs,
  };
}

/** Processor time of each of the agent's sessions until now. One that ends while it is looked at is left out. */
async function sessionsMs(source: Site['source']): Promise<Map<string, number>> {
  const stats = await source.agentSessions();
  return new Map(stats.map((stat) => [stat, processorMs(stat)] as const).filter(([, ms]) => ms > 0));
}

/** Part of the machine's processors that the agent and its sessions took, 0 to 1. */
export function processorShare({
  cpuCores,
  processors,
}: Pick<SourceCost, 'cpuCores' | 'processors'>): number {
  return (cpuCores.agent + cpuCores.sessions) / processors;
}

/** The 95 % interval of a median by the order of the values, whatever their distribution. */
export function medianInterval(values: readonly number[]): [number, number] {
  const sorted = [...values].sort((a, b) => a - b);
  const reach = 0.98 * Math.sqrt(sorted.length);
  const low = Math.max(0, Math.floor(sorted.length / 2 - reach) - 1);
  const high = Math.min(sorted.length - 1, Math.ceil(sorted.length / 2 + reach));
  return [sorted[low] ?? Number.NaN, sorted[high] ?? Number.NaN];
}

let lastWindow = 0;

interface Window {
  readonly tps: number;
  readonly p99Ms: number;
  readonly stolenShare: number;
}

function pairOf(atWork: Window, still: Window): CostPair {
  return {
    ...{ onTps: atWork.tps, offTps: still.tps, onP99Ms: atWork.p99Ms, offP99Ms: still.p99Ms },
    stolenShare: Math.max(atWork.stolenShare, still.stolenShare),
  };
}

async function measureWindow(site: Site, windowMs: number): Promise<Window> {
  lastWindow += 1;
  const name = `window ${lastWindow}`;
  const before = machineTime();
  site.mover.measure([{ name, forMs: windowMs }]);
  const { transactions, durationMs, p99Ms } = await site.mover.measured(name);
  return { tps: (transactions * 1000) / durationMs, p99Ms, stolenShare: stolenSince(before) ?? 0 };
}

async function serveOnce(site: Site): Promise<void> {
  const request = { vm: vms.mover, sharpen: true, maxAgeMs: 0 };
  await fetchWorkSetBytes(site.broker.requests, replicas.source, request, 10_000);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
