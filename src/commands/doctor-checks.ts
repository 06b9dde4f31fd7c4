import type { Broker } from '../broker/broker.ts';
import { heartbeatTtlMs } from '../broker/topology.ts';
import type { ConfigError } from '../config/faults.ts';
import type { AgentConfig } from '../config/options.ts';
import type { Finding } from '../engines/engine.ts';
import { describeError, errorCodes, ForewarmError } from '../lib/errors.ts';
import type { Heartbeat } from '../messages/heartbeat.ts';

/** Clocks may differ by this. */
const clockToleranceMs = 2_000;
const slowRoundTripMs = 250;

/** A finding from anything that was thrown. */
export function findingOf(subject: string, error: unknown): Finding {
  const { code, message } = describeError(error);
  const remedy = (error instanceof ForewarmError ? error.hint : undefined) ?? errorCodes[code];
  return { level: 'fault', subject, message, remedy };
}

/** Each fault of a configuration as a finding of its own. */
export function configFindings(error: ConfigError): readonly Finding[] {
  return error.faults.map(({ place, path, message }) => ({
    level: 'fault',
    subject: 'configuration',
    message: `${place}: ${path === '' ? '' : `${path} `}${message}`,
  }));
}

/** What a correct configuration may still lack. */
export function adviceOn(config: AgentConfig): readonly Finding[] {
  const findings: Finding[] = [];
  if (config.vms.length === 0) {
    findings.push({
      level: 'warning',
      subject: 'vms',
      message: 'no rule says which sessions are which VM, so no profile will come about',
      remedy: 'vms: [{ vm: app1, user: app1 }]',
    });
  }
  for (const [index, rule] of config.vms.entries()) {
    const { vm, ...conditions } = rule;
    const last = index === config.vms.length - 1;
    if (Object.keys(conditions).length === 0 && !last) {
      findings.push({
        level: 'warning',
        subject: 'vms',
        message: `rule ${index + 1} leads every session to ${vm}, so the rules after it never match`,
        remedy: 'Move it to the end, or give it a condition.',
      });
    }
  }
  return findings;
}

/** NATS, JetStream, the stream and the buckets, and the other agents' clocks. */
export async function checkBroker(
  connect: () => Promise<Broker>,
  replica: string,
): Promise<readonly Finding[]> {
  let broker: Broker;
  try {
    broker = await connect();
  } catch (error) {
    return [findingOf('nats', error)];
  }
  try {
    const roundTripMs = await broker.roundTripMs();
    const findings: Finding[] = [
      {
        level: roundTripMs > slowRoundTripMs ? 'warning' : 'ok',
        subject: 'nats',
        message: `answers in ${Math.max(1, Math.round(roundTripMs))} ms`,
      },
      { level: 'ok', subject: 'jetstream', message: `stream ${broker.subjects.stream} is there` },
    ];
    for (const [name, bucket] of Object.entries(broker.subjects.buckets)) {
      findings.push({ level: 'ok', subject: 'bucket', message: `${bucket} (${name}) is there` });
    }
    const heartbeats = (await broker.replicas.list()).map((stored) => stored.value);
    findings.push(...clockFindings(heartbeats, Date.now()));
    if (heartbeats.some((heartbeat) => heartbeat.replica === replica)) {
      findings.push({ level: 'ok', subject: 'agent', message: `an agent of ${replica} is alive` });
    }
    return findings;
  } catch (error) {
    return [findingOf('nats', error)];
  } finally {
    await broker.close().catch(() => {});
  }
}

/**
 * Clocks apart, by which deadlines would be met or missed. A heartbeat is dated by its host and
 * vanishes by NATS's clock, so one that is there cannot truly be older than its time to live.
 */
export function clockFindings(heartbeats: readonly Heartbeat[], nowMs: number): readonly Finding[] {
  return heartbeats.map(({ replica, at }) => {
    const aheadMs = Date.parse(at) - nowMs;
    const behindMs = -aheadMs - heartbeatTtlMs;
    if (aheadMs <= clockToleranceMs && behindMs <= clockToleranceMs) {
      return { level: 'ok', subject: 'clock', message: `${replica}'s clock is not apart from this one` };
    }
    const apart =
      aheadMs > 0
        ? `${(aheadMs / 1000).toFixed(1)} s ahead of`
        : `${(behindMs / 1000).toFixed(1)} s or more behind`;
    return {
      level: 'fault',
      subject: 'clock',
      message: `the clock of ${replica}'s host is ${apart} this one`,
      remedy: 'Run an NTP client (chronyd, systemd-timesyncd) on both hosts.',
    };
  });
}
