import { ForewarmError } from '../lib/errors.ts';

/** A NATS server's own counters since its start; JetStream's internal messages are among them. */
export interface NatsCounters {
  /** Messages and bytes that came from clients. */
  readonly inMsgs: number;
  readonly inBytes: number;
  /** Messages and bytes that went to clients. */
  readonly outMsgs: number;
  readonly outBytes: number;
  /** Resident memory now. */
  readonly memBytes: number;
  readonly connections: number;
}

/** Reads the counters from a server's monitoring port on 127.0.0.1. */
export async function natsCounters(monitorPort: number): Promise<NatsCounters> {
  const response = await fetch(`http://127.0.0.1:${monitorPort}/varz`).catch((cause: unknown) => {
    throw new ForewarmError('lab_unavailable', `NATS's monitoring on port ${monitorPort} does not answer`, {
      cause,
    });
  });
  const said = (await response.json()) as Record<string, unknown>;
  const count = (name: string) => Number(said[name] ?? 0);
  return {
    inMsgs: count('in_msgs'),
    inBytes: count('in_bytes'),
    outMsgs: count('out_msgs'),
    outBytes: count('out_bytes'),
    memBytes: count('mem'),
    connections: count('connections'),
  };
}

/** What came between two readings. */
export function natsTraffic(before: NatsCounters, after: NatsCounters): { messages: number; bytes: number } {
  return {
    messages: after.inMsgs - before.inMsgs + (after.outMsgs - before.outMsgs),
    bytes: after.inBytes - before.inBytes + (after.outBytes - before.outBytes),
  };
}
