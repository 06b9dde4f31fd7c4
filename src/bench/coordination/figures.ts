import { natsTraffic } from '../../lab/nats-monitor.ts';
import { quantile } from '../quantile.ts';
import type { CoordinationRun, RoundEvidence } from './coordination.ts';
import type { SiteReading } from './site.ts';

export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What one round comes to; times in ms from the publishing of an intent. */
export interface RoundFigures {
  readonly name: string;
  readonly intents: number;
  /** Without a record that ended well, or whose VM's route does not lead to the target. */
  readonly lost: readonly string[];
  /** Accepted more than once, by what JetStream keeps. */
  readonly acceptedTwice: readonly string[];
  readonly accepted: Spread;
  readonly firstRead: Spread;
  readonly ready: Spread;
  /** Where the time to accepted goes. */
  readonly steps: { readonly taken: Spread; readonly stored: Spread; readonly seen: Spread };
  /** Beyond what flows while nothing moves. */
  readonly messagesAnIntent: number;
  readonly bytesAnIntent: number;
  /** Processors busy, in cores. */
  readonly natsCores: number;
  readonly agentsCores: number;
  readonly seconds: number;
}

export interface IdleFigures {
  /** By agent and second. */
  readonly messages: number;
  readonly bytes: number;
  readonly natsCores: number;
  readonly agentsCores: number;
}

export function idleFigures({ idle: [from, to], settings }: CoordinationRun): IdleFigures {
  const seconds = (to.atMs - from.atMs) / 1000;
  const { messages, bytes } = natsTraffic(from.nats, to.nats);
  const agentSeconds = seconds * settings.replicas;
  return {
    messages: messages / agentSeconds,
    bytes: bytes / agentSeconds,
    ...cores(from, to),
  };
}

/** `targets`: only the intents whose target's agent was killed, or was not; all by default. */
export function roundFigures(
  evidence: RoundEvidence,
  run: Pick<CoordinationRun, 'idle' | 'settings'>,
  targets: 'all' | 'killed' | 'spared' = 'all',
): RoundFigures {
  const { before, after, name } = evidence;
  const all = evidence.traces;
  const traces = targets === 'all' ? all : all.filter(({ killed }) => killed === (targets === 'killed'));
  const since = (to: (trace: RoundEvidence['traces'][number]) => number | undefined) =>
    spread(traces.flatMap((trace) => difference(to(trace), trace.publishedMs)));
  const idleSeconds = (run.idle[1].atMs - run.idle[0].atMs) / 1000;
  const seconds = (after.atMs - before.atMs) / 1000;
  const background = natsTraffic(run.idle[0].nats, run.idle[1].nats);
  const traffic = natsTraffic(before.nats, after.nats);
  const beyond = (what: 'messages' | 'bytes') =>
    (traffic[what] - (background[what] / idleSeconds) * seconds) / Math.max(1, all.length);
  return {
    name: targets === 'all' ? name : `${name}: ${targets}`,
    intents: traces.length,
    lost: traces.filter(isLost).map(({ id }) => id),
    acceptedTwice: traces.filter(({ storedAcceptances }) => storedAcceptances > 1).map(({ id }) => id),
    accepted: since(({ acceptedMs }) => acceptedMs),
    firstRead: since(({ firstReadMs }) => firstReadMs),
    ready: since(({ readyMs }) => readyMs),
    steps: {
      taken: since(({ takenMs }) => takenMs),
      stored: spread(traces.flatMap(({ announcedMs, takenMs }) => difference(announcedMs, takenMs))),
      seen: spread(traces.flatMap(({ acceptedMs, announcedMs }) => difference(acceptedMs, announcedMs))),
    },
    messagesAnIntent: beyond('messages'),
    bytesAnIntent: beyond('bytes'),
    ...cores(before, after),
    seconds,
  };
}

export function isLost(trace: RoundEvidence['traces'][number]): boolean {
  return trace.record?.state !== 'completed' || trace.route !== trace.target || trace.storedAcceptances < 1;
}

export function spread(values: readonly number[]): Spread {
  return {
    count: values.length,
    p50: quantile(values, 0.5),
    p99: quantile(values, 0.99),
    max: values.length === 0 ? Number.NaN : Math.max(...values),
  };
}

function difference(to: number | undefined, from: number | undefined): number[] {
  return to === undefined || from === undefined || Number.isNaN(to - from) ? [] : [to - from];
}

function cores(from: SiteReading, to: SiteReading) {
  const ms = to.atMs - from.atMs;
  // Killed processes take their time with them.
  return {
    natsCores: (to.natsCpuMs - from.natsCpuMs) / ms,
    agentsCores: Math.max(0, to.agentsCpuMs - from.agentsCpuMs) / ms,
  };
}
