import { availableParallelism } from 'node:os';
import { fetchWorkSetBytes } from '../broker/transfer.ts';
import { goHome } from '../lab/experiment/move.ts';
import { median } from '../lab/experiment/run-experiment.ts';
import { replicas, type Site, vms } from '../lab/experiment/site.ts';
import { processorMs } from '../lab/processor-time.ts';
import { systemClock } from '../lib/clock.ts';

/** What the agent costs the source's throughput, as seen by an application that reads as fast as it can. */
export interface SourceCost {
  /** Throughput of the same stretch of time, agent at work and agent held still. */
  readonly pairs: readonly {
    readonly onTps: number;
    readonly offTps: number;
    readonly onP99Ms: number;
    readonly offP99Ms: number;
  }[];
  /** 1 - on/off: the median of the pairs, and between what it lies with 95 % certainty. */
  readonly cost: number;
  readonly between: readonly [number, number];
  /** Processor time while at work, in cores: the agent itself, and its sessions at the database. */
  readonly cpuCores: { readonly agent: number; readonly sessions: number };
  /** Of the machine. */
  readonly processors: number;
}

const pauseMs = 500;
/** A work set is served once in so long at work, as if a VM left this replica every minute. */
const serveEveryMs = 60_000;

/**
 * Short windows with the source's agent at work (sampling, collecting, and serving a work set now and then)
 * and held still, in the order on-off-off-on, so that a drift of the machine falls on both.
 */
export async function measureSourceCost(
  site: Site,
  options: { readonly pairs: number; readonly windowMs: number },
): Promise<SourceCost> {
  const { pairs: count, windowMs } = options;
  const agent = site.agents.source;
  const agentStat = `/proc/${agent.pid}/stat`;
  await goHome(site);
  site.mover.pace(undefined);
  await systemClock.sleep(2_000);
  const used = { agent: 0, sessions: 0 };
  const serveEvery = Math.max(2, Math.round(serveEveryMs / windowMs));
  let worked = 0;
  const on = async (): Promise<Window> => {
    worked += 1;
    const sessions = await site.source.agentSessions();
    const before = { agent: processorMs(agentStat), sessions: sessions.map(processorMs) };
    const [seen] = await Promise.all([
      measureWindow(site, windowMs),
      ...(worked % serveEvery === 1 ? [serveOnce(site)] : []),
    ]);
    used.agent += processorMs(agentStat) - before.agent;
    // One that has ended meanwhile tells nothing any more: its last window is not counted.
    used.sessions += sumOf(sessions.map((stat, i) => Math.max(0, processorMs(stat) - before.sessions[i]!)));
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
  const pairs: SourceCost['pairs'][number][] = [];
  const add = (atWork: Window, still: Window) =>
    pairs.push({ onTps: atWork.tps, offTps: still.tps, onP99Ms: atWork.p99Ms, offP99Ms: still.p99Ms });
  for (let pair = 0; pair < count; pair++) {
    if (pair % 2 === 0) add(await on(), await off());
    else {
      const still = await off();
      add(await on(), still);
    }
  }
  const costs = pairs.map(({ onTps, offTps }) => 1 - onTps / offTps);
  return {
    pairs,
    cost: median(costs),
    between: medianInterval(costs),
    processors: availableParallelism(),
    cpuCores: { agent: used.agent / (count * windowMs), sessions: used.sessions / (count * windowMs) },
  };
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
}

async function measureWindow(site: Site, windowMs: number): Promise<Window> {
  lastWindow += 1;
  const name = `window ${lastWindow}`;
  site.mover.measure([{ name, forMs: windowMs }]);
  const { transactions, durationMs, p99Ms } = await site.mover.measured(name);
  return { tps: (transactions * 1000) / durationMs, p99Ms };
}

async function serveOnce(site: Site): Promise<void> {
  const request = { vm: vms.mover, sharpen: true, maxAgeMs: 0 };
  await fetchWorkSetBytes(site.broker.requests, replicas.source, request, 10_000);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
