import { type Broker, connectBroker } from '../broker/broker.ts';
import type { PublisherConfig } from '../config/options.ts';
import { createLogger } from '../lib/logger.ts';

/** Connects as a publisher does: bounded, without waiting for a server that is not there. */
export async function connectAs(
  name: string,
  config: PublisherConfig,
  options: { readonly timeoutMs?: number } = {},
): Promise<Broker> {
  const { timeoutMs: configuredMs, ...nats } = config.nats;
  return await connectBroker({
    ...nats,
    name: `forewarm ${name}`,
    logger: createLogger({ level: 'error' }),
    timeoutMs: Math.max(1, Math.min(configuredMs, options.timeoutMs ?? configuredMs)),
  });
}
