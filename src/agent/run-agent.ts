import { connectBroker } from '../broker/broker.ts';
import type { AgentConfig } from '../config/options.ts';
import { createEngine } from '../engines/create-engine.ts';
import { ForewarmError } from '../lib/errors.ts';
import { createLogger } from '../lib/logger.ts';
import { retry } from '../lib/retry.ts';
import { serveReplica } from './agent.ts';
import { AgentMetrics } from './agent-metrics.ts';

/** One piece of work that fails in a way nobody thought of must not end what is done for all other VMs. */
const unhandled = 'work failed and nobody handled it; the agent goes on: please report it with this line';

/**
 * The agent beside one replica as a process: connects it to its database and to NATS, and serves until
 * `signal` aborts. Waits for a database or a NATS that is not up yet.
 */
export async function runAgent(
  config: AgentConfig,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const logger = createLogger({ level: config.log.level }).child({ replica: config.replica });
  const name = `forewarm agent ${config.replica}`;
  const broker = await retry(() => connectBroker({ ...config.nats, name, logger }), {
    signal,
    retryable: (error) => error instanceof ForewarmError && error.code === 'broker_unreachable',
    onRetry: (error) => logger.warn({ error: (error as Error).message }, 'waiting for NATS'),
  }).catch((error) => {
    if (signal.aborted) return null;
    throw error;
  });
  if (broker === null) return;
  const { engine: kind, ...database } = config.database;
  const metrics = new AgentMetrics(config);
  const engine = createEngine(kind, {
    ...database,
    ...{ replica: config.replica, vms: config.vms, logger, onQuery: metrics.onQuery },
    exactMs: config.observe.exactMs,
  });
  const survive = (error: unknown) =>
    logger.error({ error: error instanceof Error ? error.stack : String(error) }, unhandled);
  process.on('unhandledRejection', survive);
  try {
    await serveReplica({ config, broker, engine, logger, metrics }, signal);
  } finally {
    await engine.close();
    await broker.close();
    process.off('unhandledRejection', survive);
  }
}
